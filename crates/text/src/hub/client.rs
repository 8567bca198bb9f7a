//! Requests to the Hub. Each has a timeout for silence of the server, and each error names the URL.

use std::io::Read;

use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response, header};
use ureq::{Agent, Body};

use super::cache::cached;
use super::error::HubError;
use super::listing::Listing;
use super::settings::Settings;
use super::source::Source;

/// Maximum number of redirects within the Hub, which follow the renaming of a repository.
const RENAMES: usize = 5;

/// A repository of the Hub.
pub(super) struct Client<'a> {
    pub source: &'a Source,
    pub settings: &'a Settings,
    agent: Agent,
}

/// What the Hub's headers say about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The name of the file's blob in the cache: the ETag, which is the SHA-256 for a large file.
    pub blob: String,
    /// Its size, if the Hub states it.
    pub bytes: Option<u64>,
}

/// A response with part of a file.
pub(super) struct Piece {
    /// Its address.
    pub url: String,
    /// The byte of the file at which it begins: as requested, or 0 if the server does not support ranges.
    pub start: u64,
    pub body: Box<dyn Read>,
}

impl<'a> Client<'a> {
    pub fn new(source: &'a Source, settings: &'a Settings) -> Self {
        let patience = Some(settings.patience);
        let config = Agent::config_builder()
            .user_agent(concat!("promptshift/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_per_read(patience)
            .timeout_per_write(patience);
        Client {
            source,
            settings,
            agent: config.build().into(),
        }
    }

    /// The files of the repository at the source's revision.
    ///
    /// # Errors
    /// The Hub is unreachable, refuses, does not have the repository, or is not a Hub.
    pub fn listing(&self) -> Result<Listing, HubError> {
        let url = format!(
            "{}/api/{}s/{}/revision/{}",
            self.settings.endpoint,
            self.source.kind(),
            self.source.repository(),
            self.source.revision().replace('/', "%2F")
        );
        let request = self.agent.get(&url).query("blobs", "true");
        let mut response = self.answered(&url, self.authorized(request).call())?;
        let text = (response.body_mut().read_to_string()).map_err(|e| self.failed(&url, e))?;
        Listing::parse(&text).map_err(|reason| HubError::Answer { url, reason })
    }

    /// The Hub's headers for a file at a commit.
    ///
    /// # Errors
    /// As [`Client::listing`].
    pub fn header(&self, commit: &str, file: &str) -> Result<Header, HubError> {
        let mut url = self.url(commit, file);
        // The host that serves large files after a redirect sends neither the commit nor the checksum.
        for _ in 0..=RENAMES {
            let request = self.agent.get(&url).header(header::RANGE, "bytes=0-0");
            let request = request.config().max_redirects(0).build();
            let response = self.answered(&url, self.authorized(request).call())?;
            match text_of(response.headers(), "location") {
                Some(path)
                    if response.status().is_redirection()
                        && path.starts_with('/')
                        && !path.starts_with("//") =>
                {
                    url = format!("{}{path}", origin_of(&self.settings.endpoint));
                }
                _ => return Header::read(response.headers(), commit, url),
            }
        }
        let reason = "too many redirects".to_string();
        Err(HubError::Answer { url, reason })
    }

    /// A file at a commit, from byte `start` on.
    ///
    /// # Errors
    /// As [`Client::listing`].
    pub fn piece(&self, commit: &str, file: &str, start: u64) -> Result<Piece, HubError> {
        let url = self.url(commit, file);
        let request = (self.agent.get(&url)).header(header::RANGE, format!("bytes={start}-"));
        let response = self.answered(&url, self.authorized(request).call())?;
        let start = match response.status().as_u16() {
            206 => {
                let range = text_of(response.headers(), "content-range").unwrap_or_default();
                if !range.starts_with(&format!("bytes {start}-")) {
                    let reason = format!("wanted the bytes from {start}, found '{range}'");
                    return Err(HubError::Answer { url, reason });
                }
                start
            }
            200 => 0,
            status => {
                let reason = format!("wanted status 200 or 206, found {status}");
                return Err(HubError::Answer { url, reason });
            }
        };
        Ok(Piece {
            url,
            start,
            body: Box::new(response.into_body().into_reader()),
        })
    }

    /// A file's URL.
    pub fn url(&self, commit: &str, file: &str) -> String {
        let Settings { endpoint, .. } = self.settings;
        format!("{endpoint}/{}/resolve/{commit}/{file}", self.source.page())
    }

    fn authorized<T>(&self, request: ureq::RequestBuilder<T>) -> ureq::RequestBuilder<T> {
        match &self.settings.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {}", token.value)),
            None => request,
        }
    }

    /// The response, unless its status is an error.
    fn answered(
        &self,
        url: &str,
        response: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, HubError> {
        let response = response.map_err(|error| self.failed(url, error))?;
        if response.status().is_success() || response.status().is_redirection() {
            return Ok(response);
        }
        let of = |name| text_of(response.headers(), name).unwrap_or_default();
        let remark = Remark {
            code: of("x-error-code"),
            message: of("x-error-message"),
        };
        let status = response.status().as_u16();
        Err(of_status(status, &remark, url, self.source, self.settings))
    }

    /// Converts an error of `ureq`.
    pub fn failed(&self, url: &str, error: ureq::Error) -> HubError {
        of_request(error, url, self.source, self.settings)
    }
}

impl Header {
    fn read(headers: &HeaderMap, commit: &str, url: String) -> Result<Header, HubError> {
        let wrong = |reason: String| Err(HubError::Answer { url, reason });
        let found = text_of(headers, "x-repo-commit").unwrap_or_default();
        if found != commit {
            return wrong(format!("wanted commit {commit}, found '{found}'"));
        }
        let tag = text_of(headers, "x-linked-etag").or_else(|| text_of(headers, "etag"));
        let tag = tag.unwrap_or_default();
        // An ETag may be marked as weak.
        let blob = tag.strip_prefix("W/").unwrap_or(&tag).replace('"', "");
        // The ETag becomes a file name.
        if blob.is_empty() || !blob.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return wrong(format!(
                "wanted an ETag of letters and digits, found '{tag}'"
            ));
        }
        let size = text_of(headers, "x-linked-size").or_else(|| {
            let range = text_of(headers, "content-range")?;
            range.rsplit('/').next().map(str::to_string)
        });
        Ok(Header {
            blob,
            bytes: size.and_then(|size| size.parse().ok()),
        })
    }
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_string())
}

/// Scheme and host of a URL.
fn origin_of(address: &str) -> &str {
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..]
        .find('/')
        .map_or(address.len(), |at| host + at);
    &address[..end]
}

/// The Hub's error headers.
#[derive(Debug, Clone)]
struct Remark {
    /// `X-Error-Code`: `RepoNotFound`, `RevisionNotFound`, `GatedRepo`.
    code: String,
    /// `X-Error-Message`.
    message: String,
}

/// The error for a failure status.
fn of_status(
    status: u16,
    remark: &Remark,
    url: &str,
    source: &Source,
    settings: &Settings,
) -> HubError {
    let page = format!("{}/{}", settings.endpoint, source.page());
    let repository = source.repository().to_string();
    let message = match remark.message.as_str() {
        "" => String::new(),
        message => format!(", '{message}'"),
    };
    match (status, &settings.token) {
        (401 | 403, token) => HubError::Refused {
            repository,
            status,
            message,
            advice: match token {
                _ if remark.code == "GatedRepo" => format!(
                    "its terms must be accepted first, at {page}; then set HF_TOKEN to a token of that account"
                ),
                None => format!(
                    "either the name is wrong (check {page}), or it is private or gated; then set HF_TOKEN to a token of an account that may read it"
                ),
                Some(token) => format!(
                    "the token of {} is wrong or expired, or its account may not read {page}",
                    token.origin
                ),
            },
        },
        (404, _) => HubError::NotFound {
            repository,
            what: match remark.code.as_str() {
                "RevisionNotFound" => format!("revision '{}' of it", source.revision()),
                _ => source.kind().to_string(),
            },
            message,
            page,
        },
        _ => HubError::Status {
            url: url.to_string(),
            status,
            message,
            advice: match status {
                429 => "too many requests: wait some minutes, or set HF_TOKEN",
                500.. => "the Hub has a problem: try again later",
                _ => "unexpected status: check HF_ENDPOINT",
            },
        },
    }
}

/// Converts an error of `ureq`.
fn of_request(error: ureq::Error, url: &str, source: &Source, settings: &Settings) -> HubError {
    match error {
        ureq::Error::Timeout(_) => HubError::Silent {
            what: url.to_string(),
            seconds: settings.patience.as_secs(),
        },
        error @ (ureq::Error::Io(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Tls(_)) => HubError::Unreachable {
            url: url.to_string(),
            reason: error.to_string(),
            cache: settings.cache.display().to_string(),
            found: match cached(source, &settings.cache) {
                Some(_) => ". The cache already has these files: use them with HF_HUB_OFFLINE=1",
                None => "",
            },
        },
        other => HubError::Answer {
            url: url.to_string(),
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("plain")))
            .collect()
    }

    #[test]
    fn a_large_file_is_named_by_the_redirection_s_etag() {
        let read = |of| Header::read(&headers(of), "c0ffee", "u".to_string());
        let large = read(&[
            ("x-repo-commit", "c0ffee"),
            ("etag", "\"of-the-redirection\""),
            ("x-linked-etag", "\"abc\""),
            ("x-linked-size", "7"),
        ]);
        let (blob, bytes) = ("abc".to_string(), Some(7));
        assert_eq!(large.expect("whole"), Header { blob, bytes });
        let small = read(&[
            ("x-repo-commit", "c0ffee"),
            ("etag", "W/\"def\""),
            ("content-range", "bytes 0-0/9"),
        ]);
        let (blob, bytes) = ("def".to_string(), Some(9));
        assert_eq!(small.expect("whole"), Header { blob, bytes });
        for bad in [
            &[("x-repo-commit", "other"), ("etag", "abc")][..],
            &[("x-repo-commit", "c0ffee")],
            &[("x-repo-commit", "c0ffee"), ("etag", "../x")],
        ] {
            assert!(matches!(read(bad), Err(HubError::Answer { .. })), "{bad:?}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        for (address, origin) in [
            ("https://huggingface.co", "https://huggingface.co"),
            ("http://127.0.0.1:8080/hub", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(origin_of(address), origin);
        }
    }
}
