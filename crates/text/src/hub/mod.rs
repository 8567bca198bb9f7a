//! The Hugging Face Hub: [`fetch`] brings what a [`Source`] names into the standard cache and verifies its checksums;
//! [`cached`] finds it there again without network.
//!
//! A fetch first lists a commit's files (`listing`), so all files come from one commit. A file is downloaded beside the
//! cache, resumed where an earlier attempt ended, and enters the cache only after its checksum is verified (`download`,
//! `checksum`). Requests have a timeout for the server's silence (`client`). [`Settings`] are the variables that
//! `huggingface_hub` reads, and each [`HubError`] names its remedy.

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
