//! The Hugging Face Hub: [`fetch`] downloads a [`Source`] into the standard cache and verifies checksums;
//! [`cached`] finds it there without network.
//!
//! A fetch first lists a commit's files (`listing`), so that all files come from one commit. A file is
//! downloaded beside the cache, resumes where an earlier attempt ended, and enters the cache only after its
//! checksum is verified (`download`, `checksum`). Requests have a timeout for silence of the server
//! (`client`). [`Settings`] are read from the variables of `huggingface_hub`, and each [`HubError`] names its
//! remedy.

mod cache;
mod checkpoint;
mod checksum;
mod client;
mod download;
mod error;
mod fetch;
mod listing;
mod settings;
mod source;

pub use cache::cached;
pub use error::HubError;
pub use fetch::{Arrival, Event, Fetched, FetchedFile, fetch};
pub use settings::{Network, Settings, SettingsError, cache_from_env};
pub use source::{Kind, MAIN, RemoteFile, Source, SourceError, Wanted};
