// Requests to the studio. Errors are lines for people.

const OWN = { "X-Studio": "1" };

export class Failure extends Error {}

async function answered(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Failure("The studio does not answer. It may have been closed.");
  }
  if (response.status === 401) {
    location.assign("/login");
    throw new Failure("Enter the password again.");
  }
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Failure(sentence(said.error || `The studio answered with error ${response.status}.`));
  return said;
}

export const get = (path) => answered(fetch(path, { headers: { Accept: "application/json" } }));

export const post = (path, body = {}) =>
  answered(fetch(path, { method: "POST", headers: OWN, body: JSON.stringify(body) }));

export const remove = (path) => answered(fetch(path, { method: "DELETE", headers: OWN }));

export const sentence = (line) => line && line[0].toUpperCase() + line.slice(1);

// Sends a picture; `onShare` learns which share has been sent.
export function upload(file, most, onShare) {
  if (file.size > most) {
    const line = `A picture may have at most ${most >> 20} MB: save it as a smaller jpg.`;
    return Promise.reject(new Failure(line));
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/uploads?name=${encodeURIComponent(file.name || "pasted picture")}`);
    request.setRequestHeader("X-Studio", "1");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onShare(total ? loaded / total : 0);
    request.onload = () => {
      if (request.status === 200) resolve(request.response);
      else if (request.status === 401) location.assign("/login");
      else reject(new Failure(sentence(request.response?.error || "The studio refused the picture.")));
    };
    request.onerror = () =>
      reject(new Failure("The upload failed: the connection ended."));
    request.send(file);
  });
}
