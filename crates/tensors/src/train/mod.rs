//! Training: one step for everything that is trained, one flat loop for every tuning method.

mod adafactor;
pub(crate) mod adamw;
mod checkpointer;
mod clip;
mod fit;
mod movement;
mod optimizer;
mod peak;
mod schedule;
mod trainer;
mod training_set;

pub use adafactor::PaperAdafactor;
pub use checkpointer::{Checkpointer, CheckpointerError, set_aside};
pub use fit::{Event, FitError, Fitted, Fitting};
pub use optimizer::optimizer;
pub use peak::{Peak, TensorBytes};
pub use schedule::share;
pub use trainer::{Course, NotFinite, StepLoss, Trainer};
pub use training_set::TrainingSet;
