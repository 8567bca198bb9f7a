//! From predictions to scores.

pub mod answer;
pub mod ask;
pub mod ensemble;
mod likelihood;
mod marks;
pub mod predict;
pub mod propose;
pub mod referent;
pub mod score;
pub mod vote;
