const said = document.getElementById("said");
const password = document.getElementById("password");

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  said.textContent = "";
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "X-Studio": "1" },
      body: JSON.stringify({ password: password.value }),
    });
    if (answer.ok) location.replace("/");
    else said.textContent = (await answer.json()).error;
  } catch {
    said.textContent = "The studio does not answer.";
  }
  password.select();
});
