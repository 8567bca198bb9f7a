//! Cells that were asked for and have no record: failed cells, and cells that have not been run to the end.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::read::{is_record, outs};
use super::{PLAN, folder_name, read_plan};
use crate::error::{IoContext, StoreError};
use crate::recipe::Method;
use crate::record::seal::{indented, read_json};
use crate::record::{Cell, Provenance, RECORD_VERSION};

/// Prefix and suffix of the name of a failure file.
const FAILED: (&str, &str) = ("failed-", ".json");

/// A cell that was asked for and has no record.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// The cell; without its recipe if it did not fail.
    pub cell: Cell,
    pub end: End,
}

/// How a cell without a record ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Failed {
        /// The reason, in words.
        reason: String,
    },
    /// It has not been run to the end: it is running, or the command was interrupted.
    Missing,
}

/// The content of a failure file.
#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    version: u32,
    cell: Cell,
    reason: String,
    provenance: Provenance,
}

/// The name of a cell's failure file.
pub(super) fn failure_name(cell: &Cell) -> String {
    format!("{}{}{}", FAILED.0, folder_name(cell), FAILED.1)
}

/// The content of a cell's failure file.
pub(super) fn failure_json(cell: &Cell, reason: &str, provenance: &Provenance) -> Vec<u8> {
    let failure = Failure {
        version: RECORD_VERSION,
        cell: cell.clone(),
        reason: reason.to_owned(),
        provenance: provenance.clone(),
    };
    indented(&failure)
}

/// The unfinished cells of every output folder in `folder` and below it, in the order of their paths.
///
/// # Errors
/// A folder or file can't be read, or a failure file was truncated or edited.
pub fn unfinished(folder: &Path) -> Result<Vec<Unfinished>, StoreError> {
    let mut found = Vec::new();
    for out in outs(folder)? {
        let plan = read_plan(&out.join(PLAN))?;
        let mut failures = Vec::new();
        for entry in fs::read_dir(&out).at("list", &out)? {
            let name = entry.at("list", &out)?.file_name();
            let name = name.to_string_lossy();
            let cell = (name.strip_prefix(FAILED.0)).and_then(|rest| rest.strip_suffix(FAILED.1));
            failures.extend(cell.map(str::to_owned));
        }
        failures.sort();
        for cell in &failures {
            found.push(failed(
                &out.join(format!("{}{cell}{}", FAILED.0, FAILED.1)),
            )?);
        }
        for cell in &plan.cells {
            if failures.contains(cell) || is_record(&out.join(cell)) {
                continue;
            }
            if let Some((method, seed)) = method_and_seed(cell) {
                found.push(Unfinished {
                    cell: plan.cell(method, seed),
                    end: End::Missing,
                });
            }
        }
    }
    Ok(found)
}

fn failed(path: &Path) -> Result<Unfinished, StoreError> {
    let Failure {
        version,
        cell,
        reason,
        ..
    } = read_json(path, "a failure as promptshift writes it")?;
    if version == RECORD_VERSION {
        return Ok(Unfinished {
            cell,
            end: End::Failed { reason },
        });
    }
    let [wanted, found] = [RECORD_VERSION, version].map(|version| format!("version {version}"));
    Err(StoreError::malformed(path, wanted, found))
}

/// The method and seed that [`folder_name`] encodes.
fn method_and_seed(name: &str) -> Option<(Method, u64)> {
    let named = |name: &str| Method::ALL.into_iter().find(|method| method.name() == name);
    if name == Method::Untuned.name() {
        return Some((Method::Untuned, 0));
    }
    let (method, seed) = name.rsplit_once("-seed")?;
    Some((named(method)?, seed.parse().ok()?))
}
