//! Training: one optimiser step for tuning and pre-training, one loop for every tuning method.

mod adafactor;
pub(crate) mod adamw;
mod checkpointer;
mod fit;
mod measured;
mod optimizer;
mod trainer;
mod training_set;

pub use adafactor::PaperAdafactor;
pub use checkpointer::{Checkpointer, CheckpointerError, set_aside};
pub use fit::{Event, FitError, Fitted, Fitting};
pub use measured::{Peak, TensorBytes};
pub use optimizer::optimizer;
pub use trainer::{Course, NotFinite, StepLoss, Trainer, share};
pub use training_set::TrainingSet;
