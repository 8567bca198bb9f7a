//! How often do 95 % intervals cover the truth? Studies are simulated from worlds with a known truth and analysed
//! with the statistics of reports; docs/methodology.md shows the table.
//!
//! ```sh
//! cargo run -p promptshift-numbers --example coverage -- --studies 2000
//! ```
//!
//! The truth is the expected score over runs and passages; it is integrated numerically, not simulated.

mod worlds;

use std::process::ExitCode;

use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws, lend};
use promptshift_numbers::stats::estimate::{Estimate, median};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use worlds::{Deviates, MethodWorld, World, truth, worlds};

const HELP: &str = "How often do 95 % intervals cover the truth? Prints a Markdown table.

    coverage [--studies \
                    N] [--seed S] [--resamples R] [--world WORD]

    --studies N    studies drawn from each world \
                    (1000)
    --seed S       seed of the studies (0)
    --resamples R  resamples of each study's \
                    passages (1000; reports take 10000)
    --world WORD   only worlds with this word in their name
";

/// The parsed command line.
struct Arguments {
    studies: u64,
    seed: u64,
    resamples: usize,
    word: String,
}

/// The quantities in the table's columns.
struct Quantities<T> {
    score: T,
    gap: T,
    difference: T,
    gap_difference: T,
}

impl World {
    fn truths(&self) -> Quantities<f64> {
        let [first, second] = [self.methods[0], self.methods[1]];
        let of = |method: MethodWorld| (truth(method, method.source), truth(method, method.target));
        let ((source, target), (other_source, other_target)) = (of(first), of(second));
        Quantities {
            score: target,
            gap: source - target,
            difference: target - other_target,
            gap_difference: (source - target) - (other_source - other_target),
        }
    }

    /// The estimates of one study; targets are averaged, as in reports.
    fn estimates(&self, bootstrap: Bootstrap, deviates: &mut Deviates) -> Quantities<Estimate> {
        let mut scores = bootstrap.scores(&self.study(deviates));
        lend(&mut scores, |_| true, |_| true);
        let of = |domain: usize, method: usize| -> &Draws {
            scores[domain][method]
                .as_ref()
                .expect("every method has runs")
        };
        let target = |method: usize| {
            let all: Vec<&Draws> = (1..self.domains())
                .map(|domain| of(domain, method))
                .collect();
            Draws::mean(&all).expect("there is a target")
        };
        let gap = |method: usize| of(0, method).minus(&target(method));
        Quantities {
            score: target(0).estimate(),
            gap: gap(0).estimate(),
            difference: target(0).minus(&target(1)).estimate(),
            gap_difference: gap(0).minus(&gap(1)).estimate(),
        }
    }

    /// A row of the table.
    fn row(&self, arguments: &Arguments) -> String {
        let estimates: Vec<Quantities<Estimate>> = (0..arguments.studies)
            .into_par_iter()
            .map(|study| {
                let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
                rng.set_stream(study);
                let bootstrap = Bootstrap::new(arguments.resamples, arguments.seed + study);
                self.estimates(bootstrap, &mut Deviates(rng))
            })
            .collect();
        let truths = self.truths();
        let cell = |of: fn(&Quantities<Estimate>) -> Estimate, truth: f64| {
            let all = || estimates.iter().map(|study| of(study).interval);
            let held = all().filter(|interval| !interval.excludes(truth)).count();
            let widths: Vec<f64> = all().map(|interval| interval.high - interval.low).collect();
            format!(
                "{:.1} ({:.1})",
                100.0 * held as f64 / estimates.len().max(1) as f64,
                100.0 * median(&widths).unwrap_or(0.0)
            )
        };
        let cells = [
            cell(|study| study.score, truths.score),
            cell(|study| study.gap, truths.gap),
            cell(|study| study.difference, truths.difference),
            cell(|study| study.gap_difference, truths.gap_difference),
        ];
        format!("| {} | {} |", self.name, cells.join(" | "))
    }
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut found = Arguments {
        studies: 1_000,
        seed: 0,
        resamples: 1_000,
        word: String::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(flag) = words.next() {
        if flag == "--help" {
            return Ok(None);
        }
        let value = words.next().ok_or(format!("{flag} wants a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .map_err(|_| format!("{flag} wants a whole number, found '{value}'"))
        };
        match flag.as_str() {
            "--studies" => found.studies = number()?,
            "--seed" => found.seed = number()?,
            "--resamples" => found.resamples = number()? as usize,
            "--world" => found.word = value,
            _ => return Err(format!("no such flag: {flag}\n\n{HELP}")),
        }
    }
    Ok(Some(found))
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("| world | score | gap | difference | difference of gaps |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for world in worlds()
        .iter()
        .filter(|world| world.name.contains(&arguments.word))
    {
        println!("{}", world.row(&arguments));
    }
    ExitCode::SUCCESS
}
