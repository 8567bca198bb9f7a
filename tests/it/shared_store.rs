//! One store shared by several machines, simulated by processes with different boot ids, which cannot see each
//! other's processes, and without working file locks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::ends::program;

/// A shim under which every file lock succeeds and the boot id is `BOOT_ID`. Each process that loads it writes its id
/// into `LOADED`.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void loaded(void) {
    FILE *file = fopen(getenv("LOADED"), "a");
    if (file) { fprintf(file, "%d\n", getpid()); fclose(file); }
}

int flock(int file, int operation) { return 0; }

int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    if (!real) real = dlsym(RTLD_NEXT, "open64");
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (!strcmp(path, "/proc/sys/kernel/random/boot_id")) path = getenv("BOOT_ID");
    return real(path, flags, mode);
}
"#;

const WORDS: &str = "transfer squad->race --methods prompt --seeds 2 --steps 20 --train-rows 8 --eval-rows 4 \
                     --validation-rows 4 --batch-size 2 --jobs 1 --store store --out";

/// The shim as a library; `None`, with the reason printed, without a C compiler.
fn shim(folder: &Path) -> Option<PathBuf> {
    if Command::new("cc").arg("--version").output().is_err() {
        println!("skipped: there is no cc to compile the shim with");
        return None;
    }
    let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
    fs::write(&source, SHIM).expect("written");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .expect("cc is there");
    assert!(output.status.success(), "{output:?}");
    Some(library)
}

/// The names in a folder; none if it does not exist.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The answers of every cell of a report.
fn answers(out: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for cell in names(out) {
        for file in names(&out.join(&cell)) {
            if file.ends_with(".jsonl") {
                let text = fs::read_to_string(out.join(&cell).join(&file)).expect("readable");
                found.insert(format!("{cell}/{file}"), text);
            }
        }
    }
    found
}

#[test]
fn two_machines_without_locks_compute_everything_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(library) = shim(folder.path()) else {
        return;
    };
    let loaded = folder.path().join("loaded");
    let machines: Vec<Child> = ["one", "two", "three"]
        .into_iter()
        .map(|name| {
            let boot = folder.path().join(format!("boot-{name}"));
            fs::write(&boot, name).expect("written");
            program(folder.path(), &format!("{WORDS} out-{name}"))
                .env("LD_PRELOAD", &library)
                .env("LOADED", &loaded)
                .env("BOOT_ID", &boot)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it runs")
        })
        .collect();
    let pids: Vec<String> = machines.iter().map(|one| one.id().to_string()).collect();
    let mut waited = 0;
    for machine in machines {
        let output = machine.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        waited += usize::from(said.contains(": waiting: "));
    }
    let loaded = fs::read_to_string(loaded).expect("written");
    for pid in pids {
        assert!(loaded.lines().any(|line| line == pid), "{pid}: no shim");
    }
    assert!(waited > 0, "they never met");
    // Nothing is lost: both reports have all answers, and they are equal.
    let wanted = answers(&folder.path().join("out-one"));
    assert_eq!(wanted.len(), 8, "{:?}", wanted.keys());
    for other in ["out-two", "out-three"] {
        assert!(answers(&folder.path().join(other)) == wanted, "{other}");
    }
    // Nothing is computed twice: one training, one batch of answers for each request, and no left-overs.
    let store = folder.path().join("store");
    assert_eq!(names(&store.join("trainings")).len(), 2);
    for of in names(&store.join("answers")) {
        let batches = names(&store.join("answers").join(&of));
        let mut questions: Vec<&str> = (batches.iter())
            .map(|batch| batch.split('.').next().expect("a name"))
            .collect();
        let count = questions.len();
        questions.dedup();
        assert_eq!(questions.len(), count, "{of}: {batches:?}");
    }
    for left in ["unfinished", "processes"] {
        assert_eq!(names(&store.join(left)), Vec::<String>::new(), "{left}");
    }
}

/// A store whose only training is claimed by a process on another machine with a recent heartbeat.
struct Elsewhere {
    folder: tempfile::TempDir,
    training: String,
}

const ONE: &str = "transfer squad->race --methods prompt --seeds 1 --steps 2 --train-rows 8 --eval-rows 4 \
                   --validation-rows 4 --batch-size 2 --jobs 1 --store store --out out";

impl Elsewhere {
    fn claimed(job: Option<&str>) -> Elsewhere {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first =
            (program(folder.path(), &format!("{ONE} --quiet")).stdout(Stdio::null())).status();
        assert!(first.expect("it runs").success());
        let store = folder.path().join("store");
        let [training] = names(&store.join("trainings")).try_into().expect("one");
        for known in ["store/trainings", "store/answers", "out"] {
            fs::remove_dir_all(folder.path().join(known)).expect("removed");
        }
        let elsewhere = Elsewhere { folder, training };
        fs::create_dir_all(elsewhere.claim()).expect("made");
        let mut owner = json!({
            "host": "node7",
            "process": { "machine": "elsewhere", "pid": 11, "started": 1 },
            "token": "0123456789abcdef",
        });
        if let Some(job) = job {
            owner["job"] = json!({ "id": job });
        }
        fs::write(elsewhere.claim().join("owner.json"), owner.to_string()).expect("written");
        fs::write(elsewhere.claim().join("beat"), "3").expect("written");
        elsewhere
    }

    fn claim(&self) -> PathBuf {
        let work = self.folder.path().join("store/unfinished");
        work.join(&self.training).join(".claim")
    }

    fn start(&self, command: &mut Command) -> Child {
        command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs")
    }

    /// Asserts that it waits; returns its output after `then`.
    fn waits_until(&self, mut child: Child, then: impl FnOnce()) -> String {
        thread::sleep(Duration::from_secs(4));
        assert_eq!(child.try_wait().expect("asked"), None, "it waits");
        let trainings = self.folder.path().join("store/trainings");
        assert!(names(&trainings).is_empty());
        then();
        self.ends(child)
    }

    fn ends(&self, child: Child) -> String {
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        let trainings = self.folder.path().join("store/trainings");
        assert_eq!(names(&trainings), std::slice::from_ref(&self.training));
        said
    }
}

#[test]
fn a_claim_on_another_machine_is_respected_until_its_heartbeat_stops() {
    let store = Elsewhere::claimed(None);
    let child = store.start(&mut program(store.folder.path(), ONE));
    let said = store.waits_until(child, || {
        let beat = File::options()
            .write(true)
            .open(store.claim().join("beat"))
            .expect("there");
        let long_ago = SystemTime::now() - Duration::from_secs(300);
        beat.set_modified(long_ago).expect("set");
    });
    assert!(said.contains("process 11 on node7"), "{said}");
}

/// A folder with a `squeue` that runs a shell script and logs its arguments.
fn squeue(folder: &Path, script: &str) -> String {
    let bin = folder.join("bin");
    fs::create_dir(&bin).expect("made");
    let file = bin.join("squeue");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{}/asked'\n{script}\n",
        folder.display()
    );
    fs::write(&file, script).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
    format!("{}:{}", bin.display(), std::env::var("PATH").expect("set"))
}

#[test]
fn a_claim_of_a_job_unknown_to_slurm_is_taken_over_at_once() {
    let store = Elsewhere::claimed(Some("4242_1"));
    let path = squeue(
        store.folder.path(),
        "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1",
    );
    let started = Instant::now();
    let child = store.start(program(store.folder.path(), ONE).env("PATH", path));
    store.ends(child);
    assert!(started.elapsed() < Duration::from_secs(100), "not silence");
    let asked = fs::read_to_string(store.folder.path().join("asked")).expect("asked");
    assert_eq!(asked, "-h -j 4242_1 -o %T\n");
}

#[test]
fn a_claim_of_a_running_job_is_respected_until_the_job_ends() {
    let store = Elsewhere::claimed(Some("4242"));
    let state = store.folder.path().join("state");
    fs::write(&state, "RUNNING\n").expect("written");
    let path = squeue(store.folder.path(), &format!("cat '{}'", state.display()));
    let started = Instant::now();
    let child = store.start(program(store.folder.path(), ONE).env("PATH", path));
    let said = store.waits_until(child, || fs::write(&state, "").expect("written"));
    assert!(started.elapsed() < Duration::from_secs(100), "not silence");
    assert!(said.contains("on node7 (Slurm job 4242)"), "{said}");
}

#[test]
fn a_claim_names_its_owner() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let words = "transfer squad->race --methods prompt --seeds 1 --steps 100000 --train-rows 8 --eval-rows 4 \
                 --validation-rows 4 --batch-size 2 --jobs 1 --store store --out out";
    let mut child = program(folder.path(), words)
        .env("SLURM_JOB_ID", "7")
        .env("SLURM_ARRAY_JOB_ID", "5")
        .env("SLURM_ARRAY_TASK_ID", "2")
        .env("SLURM_RESTART_COUNT", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let work = folder.path().join("store/unfinished");
    let started = Instant::now();
    let owner = loop {
        let name = names(&work)
            .into_iter()
            .find(|name| name.starts_with("prompt"));
        let file = name.map(|name| work.join(name).join(".claim/owner.json"));
        if let Some(Ok(text)) = file.map(fs::read) {
            break serde_json::from_slice::<Value>(&text).expect("JSON");
        }
        assert!(started.elapsed() < Duration::from_secs(120), "no claim");
        thread::sleep(Duration::from_millis(20));
    };
    child.kill().expect("killed");
    child.wait().expect("it ends");
    assert_eq!(owner["process"]["pid"], child.id());
    assert_eq!(owner["job"], json!({ "id": "5_2", "restarts": 1 }));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux has it");
    assert_eq!(owner["host"], host.trim());
    let since = owner["since_unix_seconds"].as_u64().expect("a time");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    assert!(now.expect("after 1970").as_secs() - since < 300);
}
