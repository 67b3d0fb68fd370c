//! A server on this machine that speaks as the hub does, and misbehaves on order.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest, Sha256};

/// The only commit of every repository.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong.
#[derive(Clone)]
pub enum Trick {
    /// Another status, with the hub's words and seconds to wait.
    Status(u16, &'static str, Option<&'static str>),
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// The file has only so many bytes.
    Short(usize),
    /// The first byte is another.
    Damaged,
    /// `Range` is not understood.
    NoRanges,
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// `CONNECT` if it came to the proxy.
    pub method: String,
    pub path: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    pub at_storage: bool,
}

#[derive(Default)]
struct State {
    /// `datasets/owner/name` or `owner/name`, with files by path.
    repositories: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Who may read, if not everybody.
    token: Option<String>,
    storage: String,
    tricks: Vec<(String, usize, Trick)>,
    seen: Vec<Request>,
}

/// The hub at one address, the storage that it redirects to at another host.
pub struct Loopback {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Loopback {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let storage = listen(state.clone(), true);
        state.lock().unwrap().storage = format!("http://localhost:{storage}");
        let hub = listen(state.clone(), false);
        Self { address: format!("http://127.0.0.1:{hub}"), state }
    }

    pub fn put(&self, repository: &str, path: &str, bytes: Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        state.repositories.entry(repository.to_owned()).or_default().insert(path.to_owned(), bytes);
    }

    pub fn only_with(&self, token: &str) {
        self.state.lock().unwrap().token = Some(token.to_owned());
    }

    /// The next `times` requests whose address contains `part` meet with `trick`.
    pub fn order(&self, part: &str, times: usize, trick: Trick) {
        self.state.lock().unwrap().tricks.push((part.to_owned(), times, trick));
    }

    pub fn behave(&self) {
        self.state.lock().unwrap().tricks.clear();
    }

    /// All requests since the last call.
    pub fn seen(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn listen(state: Arc<Mutex<State>>, at_storage: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = state.clone();
            std::thread::spawn(move || serve(stream, &state, at_storage));
        }
    });
    port
}

/// One answer for each connection.
fn serve(stream: TcpStream, state: &Mutex<State>, at_storage: bool) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut out = stream;
    let mut request = read_request(&mut reader, at_storage)?;
    if request.method == "CONNECT" {
        state.lock().unwrap().seen.push(request);
        out.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
        request = read_request(&mut reader, at_storage)?;
    }
    let mut state = state.lock().unwrap();
    state.seen.push(request.clone());
    let trick =
        state.tricks.iter_mut().find(|(part, times, _)| *times > 0 && request.path.contains(part.as_str()));
    let trick = trick.map(|(_, times, trick)| {
        *times -= 1;
        trick.clone()
    });
    let (status, mut headers, mut body) = match &trick {
        Some(Trick::Status(status, words, wait)) => {
            let wait = wait.map(|wait| ("Retry-After", wait.to_owned()));
            (*status, wait.into_iter().collect(), json!({ "error": words }).to_string().into_bytes())
        }
        _ if at_storage => stored(&state, &request, trick.as_ref()),
        _ => answer(&state, &request),
    };
    drop(state);
    headers.push(("Content-Length", body.len().to_string()));
    headers.push(("Connection", "close".to_owned()));
    if let Some(Trick::Cut(length)) = trick {
        body.truncate(length);
    }
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    out.write_all(format!("HTTP/1.1 {status} Said\r\n{headers}\r\n").as_bytes()).ok()?;
    out.write_all(&body).ok()?;
    out.flush().ok()
}

fn read_request(reader: &mut impl BufRead, at_storage: bool) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut request = Request { method, path, authorization: None, range: None, at_storage };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                request.authorization = Some(value.to_owned());
            }
            Some((name, value)) if name.eq_ignore_ascii_case("range") => {
                request.range = Some(value.to_owned())
            }
            None => return Some(request),
            _ => {}
        }
    }
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

fn refuse(status: u16, words: &str) -> Answer {
    (status, vec![("X-Error-Message", words.to_owned())], json!({ "error": words }).to_string().into_bytes())
}

/// The hub itself: descriptions of repositories, and redirects to the storage.
fn answer(state: &State, request: &Request) -> Answer {
    let allowed =
        state.token.as_ref().is_none_or(|token| request.authorization == Some(format!("Bearer {token}")));
    if !allowed {
        return refuse(401, "Invalid username or password.");
    }
    for (name, files) in &state.repositories {
        let api = if name.starts_with("datasets/") {
            format!("/api/{name}/")
        } else {
            format!("/api/models/{name}/")
        };
        if let Some(revision) = request.path.strip_prefix(&format!("{api}revision/")) {
            if !["main?blobs=true".to_owned(), format!("{COMMIT}?blobs=true")].contains(&revision.to_owned())
            {
                return refuse(404, "Invalid rev id");
            }
            let mut siblings = vec![json!({ "rfilename": "README.md", "size": 12, "blobId": "a0" })];
            siblings.extend(files.iter().map(|(path, bytes)| {
                let lfs = json!({ "sha256": sha256(bytes), "size": bytes.len(), "pointerSize": 134 });
                json!({ "rfilename": path, "size": bytes.len(), "blobId": "b1", "lfs": lfs })
            }));
            let body = json!({ "id": name, "sha": COMMIT, "private": false, "siblings": siblings });
            return (
                200,
                vec![("Content-Type", "application/json".to_owned())],
                body.to_string().into_bytes(),
            );
        }
        let file =
            request.path.strip_prefix(&format!("/{name}/resolve/{COMMIT}/")).and_then(|path| files.get(path));
        if let Some(bytes) = file {
            let sum = sha256(bytes);
            return (
                302,
                vec![
                    ("Location", format!("{}/{sum}?signature=1", state.storage)),
                    ("X-Repo-Commit", COMMIT.to_owned()),
                    ("X-Linked-Size", bytes.len().to_string()),
                    ("X-Linked-Etag", format!("\"{sum}\"")),
                ],
                b"Found".to_vec(),
            );
        }
    }
    refuse(404, "Repository not found")
}

/// The storage: bytes by checksum, whole or from some byte on.
fn stored(state: &State, request: &Request, trick: Option<&Trick>) -> Answer {
    let mut files = state.repositories.values().flat_map(BTreeMap::values);
    let found = files.find(|bytes| request.path.starts_with(&format!("/{}?", sha256(bytes))));
    let Some(mut bytes) = found.cloned() else { return refuse(403, "Access denied") };
    match trick {
        Some(Trick::Short(length)) => bytes.truncate(*length),
        Some(Trick::Damaged) => bytes[0] ^= 1,
        _ => {}
    }
    let range = request.range.as_ref().filter(|_| !matches!(trick, Some(Trick::NoRanges)));
    match range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()) {
        Some(from) if from >= bytes.len() => refuse(416, "Range not satisfiable"),
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            (206, vec![("Content-Range", range)], bytes[from..].to_vec())
        }
        None => (200, vec![("ETag", "\"x\"".to_owned())], bytes),
    }
}
