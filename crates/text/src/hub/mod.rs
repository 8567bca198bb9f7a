//! The Hugging Face Hub: what a [`Source`] names is [`fetch`]ed into the standard cache, checked
//! against its checksums, and found there again by [`cached`] without network.
//!
//! A fetch first asks which files a commit has (`listing`); all its files are of that commit. A file is
//! downloaded beside the cache, resumed where an earlier try ended, and enters the cache only after its
//! checksum is right (`download`, `checksum`). Requests have a limit to the server's silence (`client`).
//! [`Settings`] are the variables that `huggingface_hub` reads, and a [`HubError`] says how to go on.

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
