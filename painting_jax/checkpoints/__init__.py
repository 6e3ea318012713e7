"""Published weights and LoRAs: read, matched to our parameters, converted, written."""
