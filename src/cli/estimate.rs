//! What a plan will cost, before anything is trained.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use super::print;
use crate::experiment::step_memory::{self, MethodMemory};
use crate::experiment::{Cost, Costs, ExperimentError, Runner, Speed, ToDo};
use crate::plan::Plan;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Cell;
use promptshift_report::number::bytes;
use promptshift_tensors::tuning::TuningError;

/// The remaining work of a plan.
#[derive(Default)]
pub struct Left {
    /// The missing searches for recipes: method, number of trials, cost.
    pub searches: Vec<(Method, usize, Cost)>,
    /// The remaining work of each cell, and its cost.
    pub cells: Vec<(Cell, ToDo, Cost)>,
}

impl Left {
    /// The remaining work of a plan's cells, except those that have a record, according to `is_there`.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn of(
        plan: &Plan,
        runner: &Runner,
        mut is_there: impl FnMut(&Cell) -> Result<bool, ExperimentError>,
    ) -> Result<Self, ExperimentError> {
        let costs = Costs::of(runner, &plan.setting);
        let mut left = Left::default();
        let mut searched = BTreeSet::new();
        for cell in plan.cells() {
            if let (Some(recipe), Some(trials)) = (&cell.recipe, cell.trials)
                && searched.insert(cell.method)
                && runner.found_search(plan, cell.method)?.is_none()
            {
                let cost = (0..trials).map(|_| costs.of_recipe(recipe)).sum();
                left.searches.push((cell.method, trials, cost));
            }
            if !is_there(&cell)? {
                let to_do = runner.to_do(plan, &cell)?;
                let cost = costs.of_cell(&cell, &to_do);
                left.cells.push((cell, to_do, cost));
            }
        }
        Ok(left)
    }

    /// The total cost.
    pub fn cost(&self) -> Cost {
        let searches = self.searches.iter().map(|(_, _, cost)| *cost);
        searches
            .chain(self.cells.iter().map(|(_, _, cost)| *cost))
            .sum()
    }

    /// The remaining trainings and evaluations.
    pub fn to_do(&self) -> ToDo {
        let mut all = ToDo::default();
        for (_, to_do, _) in &self.cells {
            all.add(to_do.clone());
        }
        all
    }
}

/// A description of one or several plans, and their remaining work.
#[derive(Debug, Default)]
pub struct Estimate {
    /// Every cell, and what the store has of it.
    pub text: String,
    /// The remaining work.
    pub to_do: ToDo,
    /// Its estimated time on this machine.
    pub time: Duration,
}

impl Estimate {
    /// Adds the estimate of another plan.
    pub fn add(&mut self, other: Estimate) {
        self.text.push_str(&other.text);
        self.to_do.add(other.to_do);
        self.time += other.time;
    }

    /// A summary of the remaining work and its time.
    pub fn total(&self) -> String {
        format!("{}, about {} here", count(&self.to_do), in_words(self.time))
    }
}

/// Describes a plan: what the store has of it, the memory of its training steps, and how long `workers` workers of this
/// speed take for the rest.
///
/// # Errors
/// A method does not support the model.
pub fn describe(
    plan: &Plan,
    runner: &Runner,
    left: &Left,
    speed: Speed,
    workers: usize,
) -> Result<Estimate, TuningError> {
    let backbone = runner.backbone();
    let setting = &plan.setting;
    let mut text = format!(
        "{} on '{}' with {} ({} parameters)\n",
        setting.transfer(),
        setting.suite,
        setting.model,
        backbone.config.parameters(),
    );
    for note in runner.datasets().notes.iter().chain(&backbone.notes) {
        writeln!(text, "  {note}").expect("strings take text");
    }
    let needed = runner.step_memory(plan)?;
    text.push_str(&memory(&needed));
    for warning in too_large(&needed, workers, step_memory::available()) {
        writeln!(text, "warning: {warning}").expect("strings take text");
    }
    for (method, trials, cost) in &left.searches {
        writeln!(
            text,
            "  {}, {trials} trials on source validation: about {}",
            method.title(),
            in_words(cost.time(speed))
        )
        .expect("strings take text");
    }
    for (cell, to_do, cost) in &left.cells {
        let name = match cell.method {
            Method::Untuned => "untuned".to_string(),
            Method::Elsewhere => format!("{}, run {}", cell.title(), cell.seed),
            method => format!("{}, seed {}", method.title(), cell.seed),
        };
        let recipe = match &cell.recipe {
            Some(recipe) => format!(
                ": {} steps of {} examples, learning rate {}",
                recipe.budget.steps,
                recipe.budget.batch_size,
                recipe.optimizer.learning_rate()
            ),
            None => String::new(),
        };
        let time = in_words(cost.time(speed));
        let time = match (to_do.is_nothing(), to_do.trainings_found.is_empty()) {
            (true, _) => "done".to_owned(),
            (false, false) => format!("trained, about {time} of evaluation"),
            (false, true) => format!("about {time}"),
        };
        writeln!(text, "  {name}{recipe}: {time}").expect("strings take text");
    }
    let mut estimate = Estimate {
        text,
        to_do: left.to_do(),
        time: time(left.cost(), speed, workers),
    };
    let last = estimate.total();
    writeln!(estimate.text, "{last}").expect("strings take text");
    Ok(estimate)
}

/// A table of the memory of each method's step.
fn memory(methods: &[MethodMemory]) -> String {
    if methods.is_empty() {
        return String::new();
    }
    let mut table = print::table(&[
        "memory of a step, estimated",
        "weights",
        "copies",
        "gradients",
        "optimiser",
        "activations",
        "CPU",
        "GPU",
    ]);
    for needed in methods {
        let (title, of_cpu) = (needed.method.title(), needed.on_cpu);
        let numbers = [
            of_cpu.weights,
            of_cpu.copies,
            of_cpu.gradients,
            of_cpu.optimizer_state,
            of_cpu.activations,
            of_cpu.total(),
            needed.on_gpu.total(),
        ];
        table.add_row([title.to_owned()].into_iter().chain(numbers.map(bytes)));
    }
    print::right_align(&mut table, 1..8);
    format!("{table}\n")
}

/// A warning for each method whose steps do not fit into `available` bytes with this many workers, with what would save
/// memory.
pub fn too_large(methods: &[MethodMemory], workers: usize, available: Option<u64>) -> Vec<String> {
    let Some(available) = available else {
        return Vec::new();
    };
    let runs = workers.max(1);
    let warning = |needed: &MethodMemory| {
        let all = needed.on_cpu.total() * runs as u64;
        let savers = needed.savers.iter();
        let savers = savers.map(|(flags, total)| format!("{} with {flags}", bytes(*total)));
        let saved = match needed.savers.is_empty() {
            true => "no flag saves more".to_owned(),
            false => format!("one needs {}", savers.collect::<Vec<_>>().join(", or ")),
        };
        (available < all).then(|| {
            format!(
                "{}: {} at a time need about {}, and this machine has {}; {saved}",
                needed.method.title(),
                of(runs, "run"),
                bytes(all),
                bytes(available),
            )
        })
    };
    methods.iter().filter_map(warning).collect()
}

/// The time for this many workers.
pub fn time(cost: Cost, speed: Speed, workers: usize) -> Duration {
    cost.time(speed) / workers.max(1) as u32
}

/// Summarises what was found and what remains.
pub fn count(to_do: &ToDo) -> String {
    format!(
        "{} found, {} to do; {} found, {} to do",
        of(to_do.trainings_found.len(), "training"),
        to_do.trainings.len(),
        of(to_do.evaluations_found.len(), "evaluation"),
        to_do.evaluations.len()
    )
}

fn of(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// A duration in a suitable unit: `12 s`, `7 min`, `1.5 h`.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 5400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

#[cfg(test)]
mod tests {
    use promptshift_tensors::train::StepBytes;

    use super::*;

    #[test]
    fn methods_that_do_not_fit_are_named_with_what_saves_memory() {
        let step = |activations| StepBytes {
            weights: 2_000_000_000,
            copies: 0,
            gradients: 0,
            optimizer_state: 0,
            activations,
        };
        let needed = |method, activations| MethodMemory {
            method,
            on_cpu: step(activations),
            on_gpu: step(2 * activations),
            savers: vec![("--micro-batch 4".to_owned(), 3_000_000_000)],
        };
        let methods = [
            needed(Method::Prompt, 1_000_000_000),
            needed(Method::Lora, 6_000_000_000),
        ];
        let warnings = |workers, available| too_large(&methods, workers, available);
        assert!(warnings(2, None).is_empty());
        assert!(warnings(1, Some(8_000_000_000)).is_empty());
        let [lora] = &warnings(2, Some(8_000_000_000))[..] else {
            panic!("prompt tuning fits, LoRA does not");
        };
        for part in [
            "LoRA",
            "2 runs",
            "16.00 GB",
            "8.00 GB",
            "3.00 GB with --micro-batch 4",
        ] {
            assert!(lora.contains(part), "{part}: {lora}");
        }
        assert_eq!(warnings(3, Some(8_000_000_000)).len(), 2);
    }
}
