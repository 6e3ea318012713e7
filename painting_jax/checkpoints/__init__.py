"""Reading, matching, converting and writing published weights and LoRAs."""
