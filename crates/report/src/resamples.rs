//! The scores of a study, resampled: what every statistic with an interval is computed from, so that
//! all of them see the same resamples.

use super::study::{Study, samples};
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::Cell;
use promptshift_numbers::score::Metric;
use promptshift_numbers::stats::bootstrap::{Bootstrap, Draws};
use promptshift_numbers::stats::panel::Panel;

/// The main metric of every method on every domain.
pub struct Resamples<'a> {
    /// The records.
    pub study: &'a Study<'a>,
    /// What is scored.
    pub metric: Metric,
    /// The samples of every method on each domain, source first; methods in the order of [`Method::ALL`].
    pub panels: Vec<Panel>,
    /// `[domain][method]`.
    draws: Vec<Vec<Option<Draws>>>,
}

impl<'a> Resamples<'a> {
    /// Resamples a study's scores.
    pub fn of(study: &'a Study<'a>) -> Self {
        let metric = Metric::main(study.evaluations()[0].task);
        let panels: Vec<Panel> = (0..study.evaluations().len())
            .map(|domain| panel(study, metric, domain))
            .collect();
        Resamples {
            draws: Bootstrap::default().scores(&panels),
            study,
            metric,
            panels,
        }
    }

    /// The methods that have records, in the order of [`Method::ALL`].
    pub fn methods(&self) -> impl Iterator<Item = Method> {
        let has_records = |method: &Method| !self.study.of(*method).is_empty();
        Method::ALL.into_iter().filter(has_records)
    }

    /// The places of the targets among the domains.
    pub fn targets(&self) -> std::ops::Range<usize> {
        1..self.panels.len()
    }

    /// A method's score on a domain; `None` without records.
    pub fn score(&self, domain: usize, method: Method) -> Option<&Draws> {
        self.draws[domain][method as usize].as_ref()
    }

    /// The scores of a method's runs on a domain, by ascending seed.
    pub fn by_seed(&self, domain: usize, method: Method) -> Option<Vec<f64>> {
        let runs = self.panels[domain].methods()[method as usize].as_ref()?;
        Some(runs.scores())
    }

    /// Source score minus score on a domain.
    pub fn gap(&self, domain: usize, method: Method) -> Option<Draws> {
        Some(self.score(0, method)?.minus(self.score(domain, method)?))
    }

    /// The mean of the targets' scores.
    pub fn mean_target(&self, method: Method) -> Option<Draws> {
        let all = self.targets().map(|domain| self.score(domain, method));
        let all: Vec<&Draws> = all.flatten().collect();
        Draws::mean(&all)
    }

    /// Source score minus that.
    pub fn mean_gap(&self, method: Method) -> Option<Draws> {
        Some(self.score(0, method)?.minus(&self.mean_target(method)?))
    }
}

/// What identifies a run among those of its method, and pairs it with runs of other methods. What was
/// tuned elsewhere shares no seed with what was tuned here.
fn run(cell: &Cell) -> u64 {
    match cell.method {
        Method::Elsewhere => u64::MAX - u64::from(u32::MAX) + cell.seed,
        _ => cell.seed,
    }
}

fn panel(study: &Study, metric: Metric, domain: usize) -> Panel {
    let methods = Method::ALL.map(|method| {
        let records = study.of(method).into_iter();
        let of_run = |stored: &promptshift_numbers::record::folder::StoredRecord| {
            samples(
                metric,
                run(&stored.record.cell),
                &stored.predictions[domain],
            )
        };
        records.flat_map(of_run).collect()
    });
    Panel::new(&methods)
}
