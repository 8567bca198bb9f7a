//! Questions to the Hub through `hf-hub`, each with a limit to its silence.

use std::path::Path;

use hf_hub::Cache;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};

use super::cache;
use super::error::{self, HubError, Remark};
use super::listing::Listing;
use super::patience::{Lost, Pulse, Reporter, patiently};
use super::settings::Settings;
use super::source::Source;

/// How often a body that breaks off is taken up again before the download is given up.
const RETRIES: usize = 3;

/// A repository of the Hub.
pub(super) struct Client<'a> {
    pub source: &'a Source,
    pub settings: &'a Settings,
}

/// What the Hub says of a file before it sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// As `hf-hub` reads it.
    pub etag: String,
    pub bytes: u64,
}

impl Header {
    /// The name of the file's blob in the cache: the ETag, which may be marked as weak.
    pub fn blob(&self) -> &str {
        self.etag.strip_prefix("W/").unwrap_or(&self.etag)
    }
}

impl Client<'_> {
    /// What the repository holds at the source's revision.
    ///
    /// # Errors
    /// The Hub can't be reached, refuses, does not know it, or is no Hub.
    pub fn listing(&self) -> Result<Listing, HubError> {
        let (_, repo) = self.at(&self.settings.cache, self.source.revision())?;
        let url = format!(
            "{}/api/{}",
            self.settings.endpoint,
            cache::repo(self.source, self.source.revision()).api_url()
        );
        let answer = self.patiently(&url, &mut |_| {}, move |_: Reporter<_>| ask(&repo))?;
        match answer {
            Err(error) => Err(error::of_request(error, &url, self.source, self.settings)),
            Ok(Answer::Other { status, remark }) => Err(error::of_status(
                status,
                &remark,
                &url,
                self.source,
                self.settings,
            )),
            Ok(Answer::Text(text)) => {
                Listing::parse(&text).map_err(|reason| HubError::Answer { url, reason })
            }
        }
    }

    /// What the Hub says of a file at a commit.
    ///
    /// # Errors
    /// As [`Client::listing`].
    pub fn header(&self, commit: &str, file: &str) -> Result<Header, HubError> {
        let (api, repo) = self.at(&self.settings.cache, commit)?;
        let url = repo.url(file);
        let asked = url.clone();
        let metadata = self.patiently(&url, &mut |_| {}, move |_: Reporter<_>| {
            api.metadata(&asked)
        })?;
        let metadata =
            metadata.map_err(|error| error::of_api(error, &url, self.source, self.settings))?;
        let header = Header {
            etag: metadata.etag().to_string(),
            bytes: metadata.size() as u64,
        };
        // `hf-hub` makes paths of both.
        let name = header.blob();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            let reason = format!(
                "wanted an ETag of letters and digits, found '{}'",
                header.etag
            );
            return Err(HubError::Answer { url, reason });
        }
        if metadata.commit_hash() != commit {
            let reason = format!("wanted commit {commit}, found '{}'", metadata.commit_hash());
            return Err(HubError::Answer { url, reason });
        }
        Ok(header)
    }

    /// Downloads a file at a commit into the cache folder `into`, going on from what an earlier try
    /// has left there. Nothing is checked.
    ///
    /// # Errors
    /// The outer one says that nothing was heard, the inner one is `hf-hub`'s.
    pub fn download(
        &self,
        commit: &str,
        file: &str,
        into: &Path,
        hear: &mut dyn FnMut(Pulse),
    ) -> Result<Result<(), ApiError>, HubError> {
        let (_, repo) = self.at(into, commit)?;
        let name = file.to_string();
        self.patiently(&repo.url(file), hear, move |reporter| {
            repo.download_with_progress(&name, reporter).map(|_| ())
        })
    }

    fn patiently<T: Send + 'static>(
        &self,
        what: &str,
        hear: &mut dyn FnMut(Pulse),
        work: impl FnOnce(Reporter<T>) -> T + Send + 'static,
    ) -> Result<T, HubError> {
        patiently(self.settings.patience, hear, work).map_err(|lost| match lost {
            Lost::Silent(time) => HubError::Silent {
                what: what.to_string(),
                seconds: time.as_secs(),
            },
            // `hf-hub` takes some answers for granted.
            Lost::Broken => HubError::Answer {
                url: what.to_string(),
                reason: "it could not be understood".to_string(),
            },
        })
    }

    fn at(&self, folder: &Path, revision: &str) -> Result<(Api, ApiRepo), HubError> {
        let token = self.settings.token.as_ref();
        let api = ApiBuilder::from_cache(Cache::new(folder.to_path_buf()))
            .with_endpoint(self.settings.endpoint.clone())
            .with_token(token.map(|token| token.value.clone()))
            .with_retries(RETRIES)
            .with_progress(false)
            .with_user_agent("promptshift", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(|error| {
                error::of_api(error, &self.settings.endpoint, self.source, self.settings)
            })?;
        let repo = api.repo(cache::repo(self.source, revision));
        Ok((api, repo))
    }
}

enum Answer {
    Text(String),
    Other { status: u16, remark: Remark },
}

/// `hf-hub`'s own `info` knows neither checksums nor what the Hub says of its errors.
fn ask(repo: &ApiRepo) -> Result<Answer, ureq::Error> {
    let mut response = repo
        .info_request()
        .query("blobs", "true")
        .config()
        .http_status_as_error(false)
        .build()
        .call()?;
    if response.status().is_success() {
        return Ok(Answer::Text(response.body_mut().read_to_string()?));
    }
    let header = |name: &str| {
        let value = response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_string()
    };
    Ok(Answer::Other {
        status: response.status().as_u16(),
        remark: Remark {
            code: header("x-error-code"),
            message: header("x-error-message"),
        },
    })
}
