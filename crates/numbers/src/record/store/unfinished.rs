//! Cells that were begun and have no record: those whose training failed, and those whose folder
//! still bears the name of what is not finished.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{IoContext, StoreError};
use super::read::outs;
use super::{PARTIAL, PLAN, Plan, folder_name};
use crate::recipe::Method;
use crate::record::{Cell, Provenance, RECORD_VERSION};

/// The beginning and the end of the name of a file that tells of a failed cell.
const FAILED: (&str, &str) = ("failed-", ".json");

/// The beginning of the name of what a training that was broken off goes on from.
const BEGUN: &str = "begun-";

/// A cell that was begun and has no record.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// What was asked for; without its recipe where only a folder's name tells of it.
    pub cell: Cell,
    /// How far it came.
    pub end: End,
}

/// How a cell without a record ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It failed.
    Failed {
        /// Why, in words.
        reason: String,
    },
    /// It was begun: it is under way, or its process was killed.
    Begun,
}

/// What is kept of a cell that failed.
#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    version: u32,
    cell: Cell,
    reason: String,
    provenance: Provenance,
}

/// The name of the file that tells of a cell's failure.
pub(super) fn failure_name(cell: &Cell) -> String {
    format!("{}{}{}", FAILED.0, folder_name(cell), FAILED.1)
}

/// The name of the folder of what a cell's training goes on from.
pub(super) fn begun_name(cell: &Cell) -> String {
    format!("{BEGUN}{}", folder_name(cell))
}

/// The failure of a cell as it is written.
pub(super) fn failure_json(cell: &Cell, reason: &str, provenance: &Provenance) -> Vec<u8> {
    let failure = Failure {
        version: RECORD_VERSION,
        cell: cell.clone(),
        reason: reason.to_owned(),
        provenance: provenance.clone(),
    };
    let mut json = serde_json::to_vec_pretty(&failure).expect("a failure is plain data");
    json.push(b'\n');
    json
}

/// The unfinished cells of every output folder at `folder` and below it, in the order of their paths.
///
/// # Errors
/// A folder or file can't be read, or a file that tells of a failure was cut off or edited.
pub fn unfinished(folder: &Path) -> Result<Vec<Unfinished>, StoreError> {
    let mut found = Vec::new();
    for out in outs(folder)? {
        let marker = out.join(PLAN);
        let mut names = Vec::new();
        for entry in fs::read_dir(&out).at("list", &out)? {
            let name = entry.at("list", &out)?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        names.sort();
        for name in &names {
            if let Some(rest) = name.strip_prefix(FAILED.0)
                && rest.ends_with(FAILED.1)
            {
                found.push(failed(&out.join(name))?);
                continue;
            }
            let Some(cell) = begun_cell(name) else {
                continue;
            };
            // A training that was kept and goes on has both folders.
            let mut others = names.iter().take_while(|other| *other != name);
            if others.any(|other| begun_cell(other) == Some(cell)) {
                continue;
            }
            if let Some((method, seed)) = method_and_seed(cell) {
                let plan: Plan = parse(&marker, "the plan that promptshift writes there")?;
                found.push(Unfinished {
                    cell: plan.cell(method, seed),
                    end: End::Begun,
                });
            }
        }
    }
    Ok(found)
}

/// The cell that a folder's name says was begun: being written, or broken off and kept.
fn begun_cell(name: &str) -> Option<&str> {
    let is_token =
        |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(rest) = name.strip_prefix(PARTIAL) {
        return match rest.split_once('-') {
            Some((token, cell)) if is_token(token) => Some(cell),
            _ => Some(rest),
        };
    }
    let rest = name.strip_prefix(BEGUN)?;
    Some(rest.split_once('.').map_or(rest, |(cell, _)| cell))
}

fn failed(path: &Path) -> Result<Unfinished, StoreError> {
    let Failure {
        version,
        cell,
        reason,
        ..
    } = parse(path, "what promptshift writes of a failed run")?;
    if version == RECORD_VERSION {
        return Ok(Unfinished {
            cell,
            end: End::Failed { reason },
        });
    }
    Err(StoreError::Malformed {
        path: path.to_owned(),
        wanted: format!("version {RECORD_VERSION}"),
        found: format!("version {version}"),
    })
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path, wanted: &str) -> Result<T, StoreError> {
    let bytes = fs::read(path).at("read", path)?;
    serde_json::from_slice(&bytes).map_err(|error| StoreError::Malformed {
        path: path.to_owned(),
        wanted: wanted.to_owned(),
        found: error.to_string(),
    })
}

/// What [`folder_name`] was made of.
fn method_and_seed(name: &str) -> Option<(Method, u64)> {
    let named = |name: &str| Method::ALL.into_iter().find(|method| method.name() == name);
    if name == Method::Untuned.name() {
        return Some((Method::Untuned, 0));
    }
    let (method, seed) = name.rsplit_once("-seed")?;
    Some((named(method)?, seed.parse().ok()?))
}
