//! Training: one step for everything that is trained, one flat loop for every tuning method.

mod adafactor;
pub(crate) mod adamw;
mod clip;
mod fit;
mod halt;
mod movement;
mod optimizer;
mod peak;
mod schedule;
mod trainer;
mod training_set;

pub use adafactor::PaperAdafactor;
pub use fit::{Event, FitError, Fitted, Fitting};
pub use halt::{HaltError, Halts, set_aside};
pub use optimizer::optimizer;
pub use peak::{Peak, TensorBytes};
pub use schedule::share;
pub use trainer::{Course, NotFinite, StepLoss, Trainer};
pub use training_set::TrainingSet;
