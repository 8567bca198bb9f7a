//! The Hugging Face Hub: what a [`Source`] names is [`fetch`]ed into the standard cache, checked
//! against its checksums, and found there again by [`cached`] without network.
//!
//! The `hf-hub` crate asks and downloads. Around it stands what it does not have: nothing enters the
//! cache before its checksum is right (`download`, `checksum`), a server that falls silent is
//! given up (`patience`), one commit for all files of a fetch (`listing`), `HF_HUB_OFFLINE` and
//! `HF_TOKEN` ([`Settings`]), and errors that say how to go on ([`HubError`]).

mod cache;
mod checkpoint;
mod checksum;
mod client;
mod download;
mod error;
mod fetch;
mod listing;
mod patience;
mod settings;
mod source;

pub use cache::cached;
pub use error::HubError;
pub use fetch::{Arrival, Event, Fetched, FetchedFile, fetch};
pub use settings::{Network, Settings, SettingsError, cache_from_env};
pub use source::{Kind, MAIN, RemoteFile, Source, SourceError, Wanted};
