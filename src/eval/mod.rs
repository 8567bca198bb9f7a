//! From predictions to scores.

pub mod answer;
pub mod ask;
mod likelihood;
mod marks;
pub mod predict;
pub mod referent;
pub mod score;
