//! From predictions to scores.

pub mod answer;
pub mod ensemble;
mod marks;
pub mod predict;
pub mod referent;
pub mod score;
pub mod vote;
