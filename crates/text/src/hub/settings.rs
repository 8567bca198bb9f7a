//! The Hub's address and cache, from the environment variables of `huggingface_hub`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Whether network requests are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// They are.
    Allowed,
    /// `HF_HUB_OFFLINE`: only the cache is used.
    Forbidden,
}

/// A token and its origin; `Debug` hides its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub(super) value: String,
    /// `HF_TOKEN` or a file.
    pub(super) origin: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token of {}", self.origin)
    }
}

/// How to reach the Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The cache: `HF_HOME/hub`.
    pub cache: PathBuf,
    /// `HF_ENDPOINT`, without a slash at its end.
    pub endpoint: String,
    /// `HF_TOKEN`, else the content of `HF_HOME/token`, which a login writes.
    pub token: Option<Token>,
    /// `HF_HUB_OFFLINE`.
    pub network: Network,
    /// Timeout for silence of the Hub: `HF_HUB_DOWNLOAD_TIMEOUT`, in seconds.
    pub patience: Duration,
}

/// A variable with an invalid value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There is no folder for a cache.
    #[error("there is no home folder for downloads: set HF_HOME")]
    NoHome,
    /// `HF_ENDPOINT` is not a URL.
    #[error("HF_ENDPOINT: wanted an address such as https://huggingface.co, found '{found}'")]
    Endpoint {
        /// Its value.
        found: String,
    },
    /// `HF_HUB_DOWNLOAD_TIMEOUT` is not a number.
    #[error("HF_HUB_DOWNLOAD_TIMEOUT: wanted a number of seconds, at least 1, found '{found}'")]
    Patience {
        /// Its value.
        found: String,
    },
}

const ENDPOINT: &str = "https://huggingface.co";
const PATIENCE: Duration = Duration::from_secs(60);

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// A variable has an invalid value.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::of(&|name| std::env::var(name).ok())
    }

    /// Reads variables; an empty one counts as unset.
    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let variable = |name: &str| set(variable, name);
        let home = home(&variable)?;
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_string());
        let host = (endpoint.strip_prefix("https://")).or(endpoint.strip_prefix("http://"));
        if host.is_none_or(str::is_empty) || endpoint.contains([' ', '?', '#']) {
            return Err(SettingsError::Endpoint { found: endpoint });
        }
        let patience = match variable("HF_HUB_DOWNLOAD_TIMEOUT") {
            None => PATIENCE,
            Some(text) => match text.parse() {
                // Longer durations overflow some clocks; this limit is 136 years.
                Ok(seconds @ 1_u64..) => Duration::from_secs(seconds.min(u32::MAX.into())),
                _ => return Err(SettingsError::Patience { found: text }),
            },
        };
        let file = home.join("token");
        let token = match variable("HF_TOKEN") {
            Some(value) => Some((value, "HF_TOKEN".to_string())),
            None => std::fs::read_to_string(&file)
                .ok()
                .map(|text| (text.trim().to_string(), file.display().to_string())),
        };
        Ok(Settings {
            cache: home.join(CACHE),
            endpoint: endpoint.trim_end_matches('/').to_string(),
            token: token
                .filter(|(value, _)| !value.is_empty())
                .map(|(value, origin)| Token { value, origin }),
            network: match variable("HF_HUB_OFFLINE").map(|text| text.to_uppercase()) {
                Some(text) if ["1", "ON", "YES", "TRUE"].contains(&text.as_str()) => {
                    Network::Forbidden
                }
                _ => Network::Allowed,
            },
            patience,
        })
    }
}

/// The cache's folder alone, from the environment.
///
/// # Errors
/// There is no home folder.
pub fn cache_from_env() -> Result<PathBuf, SettingsError> {
    Ok(home(&|name| set(&|name| std::env::var(name).ok(), name))?.join(CACHE))
}

const CACHE: &str = "hub";

/// A variable, unless it is empty.
fn set(variable: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    let value = variable(name)?.trim().to_string();
    (!value.is_empty()).then_some(value)
}

/// The home folder of Hugging Face's tools.
fn home(variable: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, SettingsError> {
    let home = match (variable("HF_HOME"), variable("XDG_CACHE_HOME")) {
        (Some(home), _) => PathBuf::from(home),
        (None, Some(caches)) => PathBuf::from(caches).join("huggingface"),
        (None, None) => std::env::home_dir()
            .filter(|home| !home.as_os_str().is_empty())
            .ok_or(SettingsError::NoHome)?
            .join(".cache/huggingface"),
    };
    std::path::absolute(&home).map_err(|_| SettingsError::NoHome)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn with(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::of(&|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_string())
        })
    }

    #[test]
    fn variables_are_those_of_huggingface_hub() {
        let settings = with(&[
            ("HF_HOME", "/h"),
            ("HF_ENDPOINT", "http://127.0.0.1:8080/"),
            ("HF_TOKEN", "hf_secret\n"),
            ("HF_HUB_OFFLINE", "true"),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "3"),
        ])
        .expect("understood");
        assert_eq!(settings.cache, Path::new("/h/hub"));
        assert_eq!(settings.endpoint, "http://127.0.0.1:8080");
        assert_eq!(settings.network, Network::Forbidden);
        assert_eq!(settings.patience, Duration::from_secs(3));
        let token = settings.token.expect("a token");
        assert_eq!(token.value, "hf_secret");
        assert!(!format!("{token:?}").contains("secret"));
    }

    #[test]
    fn empty_variables_are_unset_and_a_token_may_be_in_a_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path().to_str().expect("plain");
        let empty = with(&[("HF_HOME", home), ("HF_ENDPOINT", ""), ("HF_TOKEN", " ")]);
        let empty = empty.expect("understood");
        assert_eq!((empty.endpoint.as_str(), empty.token), (ENDPOINT, None));
        assert_eq!(empty.network, Network::Allowed);
        std::fs::write(folder.path().join("token"), "hf_file\n").expect("written");
        let token = with(&[("HF_HOME", home)]).expect("understood").token;
        assert_eq!(token.map(|token| token.value), Some("hf_file".to_string()));
        let cache = with(&[("XDG_CACHE_HOME", "/c")]).expect("understood").cache;
        assert_eq!(cache, Path::new("/c/huggingface/hub"));
    }

    #[test]
    fn nonsense_is_refused() {
        for endpoint in ["huggingface.co", "ftp://x", "https://", "https://a b"] {
            let error = with(&[("HF_HOME", "/h"), ("HF_ENDPOINT", endpoint)]);
            assert!(error.is_err(), "{endpoint}");
        }
        for patience in ["0", "-1", "soon"] {
            let error = with(&[("HF_HOME", "/h"), ("HF_HUB_DOWNLOAD_TIMEOUT", patience)]);
            assert!(error.is_err(), "{patience}");
        }
    }
}
