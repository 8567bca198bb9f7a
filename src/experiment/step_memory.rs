//! The memory that training steps of a plan need, estimated before anything is computed.

use std::cmp::Reverse;
use std::fs;

use super::Runner;
use crate::plan::Plan;
use promptshift_numbers::recipe::{GradientCheckpointing, Method, Recipe, StepMemory};
use promptshift_tensors::batch::{Batch, encode};
use promptshift_tensors::train::{Arithmetic, PlannedStep, StepBytes};
use promptshift_tensors::tuning::TuningError;

/// The memory of a method's training step on the longest of the plan's training rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodMemory {
    /// The method.
    pub method: Method,
    /// With the fused operations of the CPU.
    pub on_cpu: StepBytes,
    /// With the plain operations of a GPU. It has not been held against a GPU.
    pub on_gpu: StepBytes,
    /// Flags that save memory and are not set, with the bytes on the CPU that a step needs with them.
    pub savers: Vec<(String, u64)>,
}

/// Training rows whose lengths are looked at.
const ROWS: usize = 1_000;

impl Runner<'_> {
    /// The memory of a step of each method that trains.
    ///
    /// # Errors
    /// A method does not support the backbone.
    pub fn step_memory(&self, plan: &Plan) -> Result<Vec<MethodMemory>, TuningError> {
        let tokenizer = &self.backbone.tokenizer;
        let rows = &self.datasets.source.train.examples;
        let mut rows = encode(
            &rows[..rows.len().min(ROWS)],
            tokenizer,
            &plan.setting.limits,
        );
        rows.sort_by_key(|row| Reverse(row.input.len()));
        let seed = plan.seeds.first().copied().unwrap_or(0);
        let trained = plan.recipes.iter().filter(|(_, recipe)| recipe.trains());
        let of_method = |(&method, recipe): (&Method, &Recipe)| {
            let cell = plan.cell(method, seed);
            let longest: Vec<_> = rows.iter().take(recipe.budget.batch_size).collect();
            let step = PlannedStep {
                tuned: &self.context(&cell).applied(recipe)?,
                config: &self.backbone.config,
                recipe,
                batch: &Batch::of(&longest, tokenizer.pad()),
            };
            let savers = savers(recipe.memory, longest.len()).into_iter();
            Ok(MethodMemory {
                method,
                on_cpu: step.bytes(recipe.memory, Arithmetic::Fused),
                on_gpu: step.bytes(recipe.memory, Arithmetic::Plain),
                savers: savers
                    .map(|(flags, saving)| (flags, step.bytes(saving, Arithmetic::Fused).total()))
                    .collect(),
            })
        };
        trained.map(of_method).collect()
    }
}

/// What can be saved beyond `memory` with a batch of so many examples, and the flags for it.
fn savers(memory: StepMemory, batch: usize) -> Vec<(String, StepMemory)> {
    let blocks = StepMemory {
        gradient_checkpointing: GradientCheckpointing::Blocks,
        ..memory
    };
    let share = batch.div_ceil(memory.replicas.get());
    let now = memory.micro_batch.map_or(share, |size| size.min(share));
    let size = now.div_ceil(4);
    let micro = |memory| StepMemory {
        micro_batch: Some(size),
        ..memory
    };
    let all = [
        ("--gradient-checkpointing".to_owned(), blocks),
        (format!("--micro-batch {size}"), micro(memory)),
        (
            format!("--gradient-checkpointing --micro-batch {size}"),
            micro(blocks),
        ),
    ];
    let mut savers: Vec<(String, StepMemory)> = Vec::new();
    for (flags, saving) in all {
        let is_smaller =
            saving.gradient_checkpointing != memory.gradient_checkpointing || size < now;
        let is_new =
            saving != memory && is_smaller && savers.iter().all(|(_, known)| *known != saving);
        if is_new {
            savers.push((flags, saving));
        }
    }
    savers
}

/// The bytes of memory that this process may use: the machine's, or fewer if its control group is limited. `None` if
/// the system does not say, as outside Linux.
pub fn available() -> Option<u64> {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(1024 * kilobytes)
    });
    let of_group = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let of_group = of_group.into_iter().filter_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        text.trim().parse().ok()
    });
    of_machine.into_iter().chain(of_group).min()
}
