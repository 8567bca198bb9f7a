//! Recipes, records, scores and the statistics of domain shift. No tensors.

mod error;
#[cfg(test)]
mod fixture;
pub mod inspect;
pub mod leakage;
pub mod predictions;
pub mod provenance;
pub mod recipe;
pub mod record;
pub mod score;
pub mod stats;
pub mod store;
