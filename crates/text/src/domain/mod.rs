//! Domains: what an example is, where it is read from and how it becomes text.
//!
//! A [`card`] describes a domain, and the [`catalogue`] finds cards by name. A [`suite`] finds the files with
//! a domain's rows: bundled, in a folder, or fetched from where [`remote`] says they are published. The
//! [`readers`] read them, one file for each schema, on top of [`parquet`]. [`splits`] decides which rows
//! serve as which split, and [`sampling`] which of those are used. A [`variant`] changes the surface of a
//! target's rows. A [`format`](mod@format) turns a [`row`] into an [`Example`], in T5's format or in that of
//! a [`wording`]; [`load`] does all of this for a split. A [`mixture`] joins several domains into one source,
//! and [`labels`] maps predictions in a source's labels to a target's. [`verify`] checks files against their
//! card.

pub mod card;
pub mod catalogue;
pub mod describe;
mod example;
pub mod fingerprint;
pub mod format;
pub mod labels;
pub mod language;
mod layout;
pub mod load;
pub mod mixture;
pub mod parquet;
pub mod readers;
pub mod remote;
pub mod row;
#[cfg(test)]
mod sample;
pub mod sampling;
pub mod splits;
pub mod suite;
pub mod task;
pub mod variant;
pub mod verify;
pub mod wording;

pub use example::{AnswerLocation, Example, Gold, Pair, TextNames};
pub use format::AnswerForm;
pub use language::Language;
pub use splits::Split;
pub use task::Task;
