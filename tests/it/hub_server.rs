//! A small Hugging Face Hub on loopback: listings, files, large files, and ways in which a download can fail.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A fault in a response with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed after this number of bytes.
    BreaksOffAfter(usize),
    /// One byte is changed.
    IsDamaged,
    /// Half of the body is sent, then nothing more.
    FallsSilent,
    /// The body starts at the beginning, ignoring the requested range.
    IgnoresTheRange,
    /// The server responds that it is overloaded.
    IsOverloaded,
}

/// A file of a repository.
#[derive(Debug, Clone)]
pub struct Content {
    pub bytes: Vec<u8>,
    /// Whether it is in large-file storage, which redirects.
    pub is_large: bool,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
    /// Whether more than the first byte of a file was sent in response.
    pub has_body: bool,
}

struct State {
    address: String,
    /// Below `models/` or `datasets/`: the files of `OWNER/NAME`.
    repositories: BTreeMap<String, BTreeMap<String, Content>>,
    commit: String,
    faults: VecDeque<Fault>,
    token: Option<String>,
    requests: Vec<Request>,
}

/// A server that runs until the test's process ends.
pub struct HubServer {
    state: Arc<Mutex<State>>,
}

pub fn git_sha1(bytes: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    hexadecimal(&hasher.finalize())
}

pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The checksum that the Hub sends as ETag.
fn etag(content: &Content) -> String {
    match content.is_large {
        true => sha256(&content.bytes),
        false => git_sha1(&content.bytes),
    }
}

impl HubServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State {
            address,
            repositories: BTreeMap::new(),
            commit: "c0ffee".repeat(7)[..40].to_string(),
            faults: VecDeque::new(),
            token: None,
            requests: Vec::new(),
        }));
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&served);
                // A client that disconnects ends only its own connection.
                std::thread::spawn(move || drop(answer(stream, &state)));
            }
        });
        HubServer { state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }

    /// `HF_ENDPOINT`.
    pub fn address(&self) -> String {
        self.state().address.clone()
    }

    /// The commit of every repository.
    pub fn commit(&self) -> String {
        self.state().commit.clone()
    }

    /// From now on `main` is another commit.
    pub fn move_to(&self, commit: &str) {
        self.state().commit = commit.to_string();
    }

    /// Serves a file of `models/OWNER/NAME` or `datasets/OWNER/NAME`.
    pub fn put(&self, repository: &str, file: &str, bytes: &[u8], is_large: bool) {
        let bytes = bytes.to_vec();
        let mut state = self.state();
        let files = state
            .repositories
            .entry(repository.to_string())
            .or_default();
        files.insert(file.to_string(), Content { bytes, is_large });
    }

    /// The faults of the next bodies, in order.
    pub fn fail(&self, faults: &[Fault]) {
        self.state().faults = faults.iter().copied().collect();
    }

    /// Requires this token.
    pub fn require(&self, token: &str) {
        self.state().token = Some(token.to_string());
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }

    /// The requests since the last call that were answered with a file's content.
    pub fn bodies(&self) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.has_body);
        requests
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_string();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.trim().to_lowercase(), value.trim().to_string());
        }
    }
    let mut request = Request {
        has_body: false,
        path,
        range: headers.get("range").cloned(),
        authorization: headers.get("authorization").cloned(),
    };
    let mut state = state.lock().expect("no test panics with it");
    let reply = reply(&request, &mut state);
    request.has_body = !request.path.starts_with("/api/")
        && request.range.as_deref() != Some("bytes=0-0")
        && reply.status.starts_with("20");
    state.requests.push(request);
    drop(state);
    reply.send(stream)
}

struct Reply {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    fault: Option<Fault>,
}

impl Reply {
    fn of(status: &'static str, headers: Vec<(&'static str, String)>, body: &[u8]) -> Self {
        Reply {
            status,
            headers,
            body: body.to_vec(),
            fault: None,
        }
    }

    fn send(mut self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!(
            "Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.body.len()
        );
        stream.write_all(head.as_bytes())?;
        let sent = match self.fault {
            Some(Fault::BreaksOffAfter(bytes)) => bytes.min(self.body.len()),
            Some(Fault::FallsSilent) => self.body.len() / 2,
            _ => self.body.len(),
        };
        if self.fault == Some(Fault::IsDamaged) {
            self.body[sent / 2] ^= 1;
        }
        stream.write_all(&self.body[..sent])?;
        stream.flush()?;
        if self.fault == Some(Fault::FallsSilent) {
            // Until the client disconnects.
            stream.read_to_end(&mut Vec::new())?;
        }
        Ok(())
    }
}

fn error(status: &'static str, code: &str, message: &str) -> Reply {
    let headers = vec![
        ("X-Error-Code", code.to_string()),
        ("X-Error-Message", message.to_string()),
    ];
    Reply::of(status, headers, b"")
}

fn reply(request: &Request, state: &mut State) -> Reply {
    if let Some(sha256) = request.path.strip_prefix("/large/") {
        let content = (state.repositories.values())
            .flat_map(BTreeMap::values)
            .find(|content| content.is_large && etag(content) == sha256)
            .cloned();
        return match content {
            Some(content) => piece(&content, request, state, Vec::new()),
            None => Reply::of("404 Not Found", Vec::new(), b""),
        };
    }
    let shown = request
        .authorization
        .as_deref()
        .and_then(|text| text.strip_prefix("Bearer "));
    if state.token.is_some() && state.token.as_deref() != shown {
        return error(
            "401 Unauthorized",
            "RepoNotFound",
            "Invalid username or password.",
        );
    }
    match request.path.strip_prefix("/api/") {
        Some(path) => listing(path, state),
        None => file(request, state),
    }
}

fn listing(path: &str, state: &State) -> Reply {
    let (repository, rest) = path.split_once("/revision/").unwrap_or((path, ""));
    let (revision, query) = rest.split_once('?').unwrap_or((rest, ""));
    let Some(files) = state.repositories.get(repository) else {
        return error("404 Not Found", "RepoNotFound", "Repository not found");
    };
    // The Hub keeps its own conversions to parquet on a branch of this name.
    let known = ["main", "refs/convert/parquet", &state.commit];
    if !known.contains(&revision.replace("%2F", "/").as_str()) {
        return error("404 Not Found", "RevisionNotFound", "Invalid rev id");
    }
    assert_eq!(query, "blobs=true");
    let siblings: Vec<serde_json::Value> = files
        .iter()
        .map(|(name, content)| {
            let size = content.bytes.len();
            match content.is_large {
                true => serde_json::json!({
                    "rfilename": name, "size": size, "blobId": "f".repeat(40),
                    "lfs": { "sha256": etag(content), "size": size, "pointerSize": 134 },
                }),
                false => serde_json::json!({
                    "rfilename": name, "size": size, "blobId": etag(content),
                }),
            }
        })
        .collect();
    let body = serde_json::json!({ "sha": state.commit, "siblings": siblings });
    Reply::of("200 OK", Vec::new(), body.to_string().as_bytes())
}

/// `/OWNER/NAME/resolve/REVISION/FILE`, or the same below `/datasets`.
fn file(request: &Request, state: &mut State) -> Reply {
    let (repository, rest) = (request.path[1..].split_once("/resolve/")).unwrap_or_default();
    let (_, name) = rest.split_once('/').unwrap_or_default();
    let repository = match repository.starts_with("datasets/") {
        true => repository.to_string(),
        false => format!("models/{repository}"),
    };
    let files = state.repositories.get(&repository);
    let Some(content) = files.and_then(|files| files.get(name)).cloned() else {
        return error("404 Not Found", "EntryNotFound", "Entry not found");
    };
    let tag = format!("\"{}\"", etag(&content));
    let mut headers = vec![("X-Repo-Commit", state.commit.clone())];
    if !content.is_large {
        headers.push(("ETag", tag));
        return piece(&content, request, state, headers);
    }
    headers.extend([
        ("X-Linked-Etag", tag),
        ("X-Linked-Size", content.bytes.len().to_string()),
        ("ETag", "\"of the redirection\"".to_string()),
        (
            "Location",
            format!("{}/large/{}", state.address, etag(&content)),
        ),
    ]);
    Reply::of("302 Found", headers, b"")
}

/// The requested bytes.
fn piece(
    content: &Content,
    request: &Request,
    state: &mut State,
    mut headers: Vec<(&'static str, String)>,
) -> Reply {
    let range = request
        .range
        .as_deref()
        .and_then(|range| range.strip_prefix("bytes="));
    let (from, to) = range
        .and_then(|range| range.split_once('-'))
        .unwrap_or(("0", ""));
    let total = content.bytes.len();
    let from: usize = from.parse().unwrap_or(0);
    let to = to.parse().map_or(total, |last: usize| last + 1).min(total);
    if from >= total {
        return Reply::of("416 Range Not Satisfiable", headers, b"");
    }
    let fault = match range {
        Some("0-0") => None,
        _ => state.faults.pop_front(),
    };
    if fault == Some(Fault::IsOverloaded) {
        return error("503 Service Unavailable", "", "try again");
    }
    if fault == Some(Fault::IgnoresTheRange) {
        return Reply::of("200 OK", headers, &content.bytes);
    }
    headers.push(("Content-Range", format!("bytes {from}-{}/{total}", to - 1)));
    let mut reply = Reply::of("206 Partial Content", headers, &content.bytes[from..to]);
    reply.fault = fault;
    reply
}
