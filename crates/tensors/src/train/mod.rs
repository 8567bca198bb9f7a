//! Training: one optimiser step, shared by tuning and pre-training, and one loop for all tuning methods.

mod adafactor;
pub(crate) mod adamw;
mod checkpointer;
mod estimate;
mod fit;
mod measured;
mod optimizer;
mod replicas;
mod trainer;
mod training_set;

pub use adafactor::PaperAdafactor;
pub use checkpointer::{Checkpointer, CheckpointerError, set_aside};
pub use estimate::{Arithmetic, PlannedStep, StepBytes};
pub use fit::{Event, FitError, Fitted, Fitting};
pub use measured::{Peak, TensorBytes};
pub use optimizer::optimizer;
pub use trainer::{Course, NotFinite, StepLoss, Trainer, Update, share};
pub use training_set::TrainingSet;
