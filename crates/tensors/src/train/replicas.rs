//! Data parallel training: replicas of the model that share a step's batch, on one device or several.
//!
//! Each replica computes the gradients of its share of the batch, and the step takes their sum. The first device
//! computes on the thread that trains, one replica after another. Each further device has a thread and a copy of
//! the model: frozen weights are copied once, trainable parameters before every step. A single thread would not
//! keep several devices busy, since a device's queue is short and whoever adds to a full one waits (32 operations,
//! cubecl-common, `device/handle/channel.rs`).
//!
//! Threads exchange numbers on the host, never tensors. CubeCL has a stream and a memory pool for each thread, and
//! Burn's autodiff locks a graph during its backward pass, so a thread's tensors and leaves are its own.
//!
//! Neighbouring replicas are on one device, and gradients are added in the order of the replicas. A step's result
//! is therefore the same on any number of devices.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::vec;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData, Transaction};

use super::measured::Peaks;
use crate::batch::Batch;
use crate::layers::{Dropout, Pass};
use crate::memory;
use crate::tuning::Tuned;
use promptshift_numbers::recipe::{GradientCheckpointing, Objective, Reduction};
use promptshift_numbers::record::Moment;

/// What a replica computes in a step.
pub(super) struct Share {
    /// Its examples, in micro-batches.
    pub parts: Vec<Batch>,
    /// The number of target tokens of the whole step.
    pub tokens: usize,
    pub objective: Objective,
    pub checkpointing: GradientCheckpointing,
    /// The source of its dropout masks.
    pub dropout: Dropout,
}

/// The sum over all replicas of a step.
pub(super) struct Computed {
    pub loss: f64,
    pub grads: GradientsParams,
    /// The greatest number of dropout masks that a replica took.
    pub masks: u64,
}

/// The loss and the gradients of a share.
struct OfShare {
    /// `[1]`.
    loss: Tensor<1>,
    grads: GradientsParams,
    masks: u64,
}

impl Share {
    fn compute(self, tuned: &Tuned, peaks: &mut Peaks) -> OfShare {
        let Share {
            parts,
            tokens,
            objective,
            checkpointing,
            mut dropout,
        } = self;
        let first = dropout.taken();
        let mut sum: Option<Tensor<1>> = None;
        let mut grads = GradientsAccumulator::new();
        for part in parts {
            let mut pass = Pass::training(dropout, checkpointing);
            let loss = peaks.phase(Moment::Forward, || {
                let encoded = tuned.encode(&part.inputs, &mut pass);
                let (network, z_loss) = (&tuned.backbone, objective.z_loss);
                let losses = network.token_losses(&encoded, &part.targets, z_loss, &mut pass);
                match objective.reduction {
                    Reduction::Sum => losses.sum(),
                    Reduction::Mean if part.targets.count() == tokens => losses.mean(),
                    Reduction::Mean => losses.sum() / tokens as f64,
                }
            });
            let of_part;
            (of_part, dropout) = peaks.phase(Moment::Backward, || pass.gradients(&loss, tuned));
            grads.accumulate(tuned, of_part);
            let loss = loss.detach();
            sum = Some(sum.map_or(loss.clone(), |sum| sum + loss));
        }
        OfShare {
            loss: sum.expect("a share has examples"),
            grads: grads.grads(),
            masks: dropout.taken() - first,
        }
    }
}

/// The replicas on further devices than the model's own.
pub(super) struct Replicas {
    devices: Vec<Device>,
    /// Started by the first step that uses their device.
    threads: Vec<Replica>,
}

impl Replicas {
    /// Replicas on these devices besides the model's own.
    pub(super) fn on(devices: &[Device]) -> Self {
        Replicas {
            devices: devices.to_vec(),
            threads: Vec::new(),
        }
    }

    /// The sum of the shares' losses and gradients, on the model's device.
    pub(super) fn compute(
        &mut self,
        tuned: &Tuned,
        shares: Vec<Share>,
        peaks: &mut Peaks,
    ) -> Computed {
        let count = shares.len();
        let devices = count.min(1 + self.devices.len());
        let of_device = |at: usize| (at + 1) * count / devices - at * count / devices;
        let mut shares = shares.into_iter();
        let own: Vec<Share> = shares.by_ref().take(of_device(0)).collect();
        if devices > 1 {
            let started = self.threads.len()..devices - 1;
            let start = |at: usize| Replica::start(tuned, &self.devices[at]);
            self.threads.extend(started.map(start));
            let values = Arc::new(values(tuned));
            for (at, replica) in self.threads[..devices - 1].iter().enumerate() {
                replica.order(Job {
                    values: Arc::clone(&values),
                    shares: shares.by_ref().take(of_device(at + 1)).collect(),
                });
            }
        }
        let mut grads = GradientsAccumulator::new();
        let (mut losses, mut masks) = (Vec::new(), 0);
        for share in own {
            let computed = share.compute(tuned, peaks);
            grads.accumulate(tuned, computed.grads);
            losses.push(computed.loss);
            masks = masks.max(computed.masks);
        }
        let device = tuned.backbone.device().without_autodiff();
        let mut far = 0.0;
        for (at, replica) in self.threads[..devices - 1].iter_mut().enumerate() {
            for _ in 0..of_device(at + 1) {
                let answer = replica.answer();
                far += answer.loss;
                masks = masks.max(answer.masks);
                grads.accumulate(tuned, answer.into_gradients(tuned, &device));
            }
        }
        let near = Tensor::cat(losses, 0).into_data();
        Computed {
            loss: near.iter::<f64>().sum::<f64>() + far,
            grads: grads.grads(),
            masks,
        }
    }
}

/// A step's work for a device.
struct Job {
    /// Those of [`values`].
    values: Arc<Vec<TensorData>>,
    shares: Vec<Share>,
}

/// The result of a share, on the host.
struct Answer {
    loss: f64,
    /// For each trainable parameter in the model's order, unless the loss does not depend on it.
    grads: Vec<Option<TensorData>>,
    masks: u64,
}

/// A thread that computes on a device of its own.
struct Replica {
    device: Device,
    /// Closed when the training ends.
    jobs: Option<Sender<Job>>,
    answers: Receiver<Answer>,
    /// `None` after it was joined.
    thread: Option<JoinHandle<()>>,
}

impl Replica {
    fn start(tuned: &Tuned, device: &Device) -> Self {
        let (jobs, ordered) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let tuned = tuned.clone();
        let of_thread = device.clone();
        let thread = thread::spawn(move || serve(tuned, &of_thread, &ordered, &answer));
        Replica {
            device: device.clone(),
            jobs: Some(jobs),
            answers,
            thread: Some(thread),
        }
    }

    fn order(&self, job: Job) {
        // If the thread has ended, waiting for its answer reports it.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }

    /// Its next result; a panic of its thread continues on this one.
    fn answer(&mut self) -> Answer {
        self.answers
            .recv()
            .unwrap_or_else(|_| match self.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => resume_unwind(panic),
                _ => unreachable!("it answers until its jobs end"),
            })
    }
}

impl Drop for Replica {
    /// Waits for the thread, and frees its memory for the next training: CubeCL's pools keep that of an ended thread,
    /// which no other thread would use.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            memory::release_unused(&self.device);
        }
    }
}

/// Computes jobs on a copy of the model until there are no more.
fn serve(tuned: Tuned, device: &Device, jobs: &Receiver<Job>, answer: &Sender<Answer>) {
    let mut replica = tuned.replica(device);
    // The optimiser updates values in place if no one else holds them.
    drop(tuned);
    for job in jobs {
        let values = job.values.iter();
        replica = replica.map(&mut Renewed { values, device });
        drop(job.values);
        for share in job.shares {
            let computed = share.compute(&replica, &mut Peaks::Unmeasured);
            if answer.send(Answer::of(computed, &replica)).is_err() {
                return;
            }
        }
    }
    drop(replica);
    // On this thread, so that what it queued is done. A failure would have been reported by an answer.
    let _ = device.sync();
}

/// The values of the trainable parameters, in the model's order.
fn values(tuned: &Tuned) -> Vec<TensorData> {
    struct Values(Transaction);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            if value.is_require_grad() {
                let so_far = std::mem::take(&mut self.0);
                self.0 = so_far.register(value.without_autodiff());
            }
        }
    }
    let mut values = Values(Transaction::default());
    tuned.visit(&mut values);
    values.0.execute()
}

/// Sets the trainable parameters to these values.
struct Renewed<'a> {
    values: std::slice::Iter<'a, TensorData>,
    device: &'a Device,
}

impl ModuleMapper for Renewed<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, value, mapper) = param.consume();
        let value = match value.is_require_grad() {
            true => {
                let new = self.values.next().expect("a value for each").clone();
                let device = self.device.clone().autodiff();
                let dtype = new.dtype();
                Tensor::from_data(new, (&device, dtype)).require_grad()
            }
            false => value,
        };
        Param::from_mapped_value(id, value, mapper)
    }
}

impl Answer {
    /// Reads everything at once.
    fn of(computed: OfShare, tuned: &Tuned) -> Self {
        struct Found<'a> {
            grads: &'a GradientsParams,
            are_there: Vec<bool>,
            read: Transaction,
        }
        impl ModuleVisitor for Found<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if !param.val().is_require_grad() {
                    return;
                }
                let grad = self.grads.get::<D>(param.id);
                self.are_there.push(grad.is_some());
                if let Some(grad) = grad {
                    self.read = std::mem::take(&mut self.read).register(grad);
                }
            }
        }
        let mut found = Found {
            grads: &computed.grads,
            are_there: Vec::new(),
            // Gradients have no autodiff either.
            read: Transaction::default().register(computed.loss.without_autodiff()),
        };
        tuned.visit(&mut found);
        let mut read = found.read.execute().into_iter();
        let mut next = || read.next().expect("all that was registered");
        Answer {
            loss: next().iter::<f64>().sum(),
            grads: (found.are_there.into_iter())
                .map(|is_there| is_there.then(&mut next))
                .collect(),
            masks: computed.masks,
        }
    }

    /// The gradients as tensors on the device of `tuned`.
    fn into_gradients(self, tuned: &Tuned, device: &Device) -> GradientsParams {
        struct Fill<'a> {
            values: vec::IntoIter<Option<TensorData>>,
            device: &'a Device,
            grads: GradientsParams,
        }
        impl ModuleVisitor for Fill<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if !param.val().is_require_grad() {
                    return;
                }
                if let Some(values) = self.values.next().expect("one for each parameter") {
                    let dtype = values.dtype();
                    let grad = Tensor::<D>::from_data(values, (self.device, dtype));
                    self.grads.register(param.id, grad);
                }
            }
        }
        let mut fill = Fill {
            values: self.grads.into_iter(),
            device,
            grads: GradientsParams::new(),
        };
        tuned.visit(&mut fill);
        fill.grads
    }
}
