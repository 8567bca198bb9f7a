//! From predictions to scores.

pub mod answer;
mod marks;
pub mod predict;
pub mod referent;
pub mod score;
