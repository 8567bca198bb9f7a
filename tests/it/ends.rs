//! How the program ends when it is interrupted by a closed pipe, a full disk, a signal or a kill, and that finished
//! work is neither lost nor changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The program as a shell starts it, without ignored signals; the parent of the tests may ignore some.
pub fn program(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("promptshift"));
    command.current_dir(folder).args(words.split(' '));
    // SAFETY: `signal` may be called between fork and exec.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGTERM, libc::SIGUSR1] {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
    command
}

/// Exit code and standard error.
fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    (output.status.code(), said)
}

/// A run of two methods with searches, in a few seconds.
const RUN: &str = "transfer squad->race --out out --seeds 2 --steps 12 --batch-size 2 --train-rows 8 --eval-rows 4 --validation-rows 4 \
                   --methods prompt,model --trials 2";

/// Commands that write their result to standard output.
fn verbs(root: &Path) -> Vec<String> {
    let reports = root.join("reports/squad-to-textbookqa");
    let reports = reports.display();
    let prompt = root.join("reports/inspect/of-duorc/prompt-seed0/prompt.safetensors");
    let prompt = prompt.display();
    vec![
        "--help".to_owned(),
        "--version".to_owned(),
        "list".to_owned(),
        "methods".to_owned(),
        "completions bash".to_owned(),
        "verify squad".to_owned(),
        format!("score {reports}"),
        format!("compare {reports} {reports}"),
        format!("prompt show {prompt}"),
        format!("inspect {prompt}"),
        format!("{RUN} --dry-run"),
        "ablate length --lengths 1,5 --seeds 1 --steps 2 --dry-run".to_owned(),
    ]
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for verb in verbs(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let mut child = program(folder.path(), &verb)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        drop(child.stdout.take());
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("text");
        assert_eq!(
            child.wait().expect("it ends").code(),
            Some(0),
            "{verb}: {said}"
        );
        assert!(
            !said.contains("error") && !said.contains("panicked"),
            "{verb}: {said}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for verb in verbs(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let full = fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it");
        let (code, said) = ended(program(folder.path(), &verb).stdout(full));
        // For `compare`, 1 means a loss.
        let wanted = if verb.starts_with("compare") { 3 } else { 1 };
        assert_eq!(code, Some(wanted), "{verb}: {said}");
        assert!(
            said.contains("cannot write to standard output"),
            "{verb}: {said}"
        );
    }
}

#[test]
fn file_names_need_not_be_utf8() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = OsString::from_vec(b"u8\xff".to_vec());
    let words = "transfer squad->race --seeds 1 --steps 1 --batch-size 1 --train-rows 2 --eval-rows 2 --validation-rows 2 --jobs 2";
    let (code, said) = ended(program(folder.path(), words).arg("--out").arg(&name));
    assert_eq!(code, Some(0), "{said}");
    let record = folder.path().join(name).join("untuned/record.json");
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(record).expect("written")).expect("JSON");
    let command = record["provenance"]["command"].as_str().expect("text");
    assert!(command.ends_with(r"--out $'u8\xff'"), "{command}");
}

#[test]
fn a_folder_may_be_named_like_a_domain() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let words = "transfer squad race --out squad --seeds 1 --steps 1 --batch-size 1 --train-rows 2 --eval-rows 2 --validation-rows 2";
    let (code, said) = ended(&mut program(folder.path(), words));
    assert_eq!(code, Some(0), "{said}");
    let record = folder.path().join("squad/untuned/record.json");
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(record).expect("written")).expect("JSON");
    assert_eq!(
        record["provenance"]["command"],
        format!("promptshift {words}").replace("squad->race", "'squad->race'")
    );
}

/// Starts a long training and waits until it is running.
fn training(folder: &Path, before: impl FnOnce(&mut Command)) -> Child {
    let words = "transfer squad->race --seeds 1 --out out --steps 100000 --train-rows 8 --eval-rows 4 --validation-rows 4 --batch-size 2 \
                 --methods prompt --jobs 1";
    let mut command = program(folder, words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    before(&mut command);
    let child = command.spawn().expect("it runs");
    let started = Instant::now();
    while !folder.join("out/untuned/record.json").exists() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "it never started"
        );
        thread::sleep(Duration::from_millis(20));
    }
    // After the first validation there is something to keep.
    thread::sleep(Duration::from_millis(1_500));
    child
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(status.expect("kill is there").success());
}

/// The folders from which interrupted trainings of the store resume.
fn begun(folder: &Path) -> Vec<PathBuf> {
    let work = beginning(&folder.join("runs/store/unfinished"), "prompt-seed0");
    work.iter()
        .flat_map(|work| beginning(work, "begun-"))
        .collect()
}

/// The damaged folders that were set aside.
fn damaged(folder: &Path) -> Vec<PathBuf> {
    let work = beginning(&folder.join("runs/store/unfinished"), "prompt-seed0");
    work.iter()
        .flat_map(|work| beginning(work, "damaged-"))
        .collect()
}

/// The entries of a folder with this prefix.
fn beginning(out: &Path, start: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(out) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.expect("readable"))
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(start))
        .map(|entry| entry.path())
        .collect()
}

#[test]
fn training_progress_is_kept_whichever_signal_ends_it() {
    for (name, code) in [("-INT", 130), ("-TERM", 75), ("-USR1", 75), ("-HUP", 129)] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = training(folder.path(), |_| {});
        signal(name, child.id());
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{name}");
        let out = folder.path().join("out");
        let begun = begun(folder.path());
        assert!(
            begun.iter().any(|begun| begun.join("halt.json").exists()),
            "{name}"
        );
        assert!(
            beginning(&out, ".").is_empty(),
            "{name}: nothing half-written"
        );
    }
}

#[test]
fn signals_ignored_by_nohup_stay_ignored() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = training(folder.path(), |command| {
        // SAFETY: `signal` may be called between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                Ok(())
            });
        }
    });
    signal("-HUP", child.id());
    thread::sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait().expect("asked"), None, "it goes on");
    signal("-TERM", child.id());
    assert_eq!(child.wait().expect("it ends").code(), Some(75));
}

#[test]
fn left_overs_of_a_killed_start_do_not_block() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("made");
    fs::write(out.join(".partial-plan.json"), "").expect("written");
    fs::create_dir(out.join(".partial-0123456789abcdef-claim")).expect("made");
    let words = "transfer squad->race --out out --seeds 1 --steps 1 --batch-size 1 --train-rows 2 --eval-rows 2 --validation-rows 2";
    let (code, said) = ended(&mut program(folder.path(), words));
    assert_eq!(code, Some(0), "{said}");
    assert!(beginning(&out, ".").is_empty());
}

#[test]
fn two_concurrent_processes_are_distinguished() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = training(folder.path(), |_| {});
    let words = "transfer squad->race --seeds 1 --out out --steps 100000 --train-rows 8 --eval-rows 4 --validation-rows 4 --batch-size 2 \
                 --methods prompt";
    let (code, said) = ended(&mut program(folder.path(), words));
    assert_eq!(code, Some(1));
    assert!(said.contains("another promptshift is writing to"), "{said}");
    assert!(said.contains(&format!("process {}", child.id())), "{said}");
    child.kill().expect("killed");
    child.wait().expect("it ends");
}

#[test]
fn a_damaged_training_checkpoint_is_set_aside() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = training(folder.path(), |_| {});
    signal("-TERM", child.id());
    child.wait().expect("it ends");
    for end in [
        "halt.json",
        "trained.safetensors",
        "best.safetensors",
        "optimizer.bpk",
    ] {
        let [begun] = begun(folder.path()).try_into().expect("one");
        let files = fs::read_dir(&begun)
            .expect("readable")
            .map(|file| file.expect("readable").path());
        let file = files
            .filter(|file| file.to_string_lossy().ends_with(end))
            .last();
        let file = file.expect("it was kept");
        let mut bytes = fs::read(&file).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(&file, bytes).expect("written");
        let words = "transfer squad->race --seeds 1 --out out --steps 100000 --train-rows 8 --eval-rows 4 --validation-rows 4 \
                     --batch-size 2 --methods prompt --jobs 1";
        let mut again = program(folder.path(), words);
        let mut child = again
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let started = Instant::now();
        while damaged(folder.path()).is_empty() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{end}: not set aside"
            );
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(1_500));
        signal("-TERM", child.id());
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("text");
        assert_eq!(
            child.wait().expect("it ends").code(),
            Some(75),
            "{end}: {said}"
        );
        assert!(
            said.contains("is damaged, so training starts over"),
            "{end}: {said}"
        );
        assert!(said.contains(end), "{end}: {said}");
        for aside in damaged(folder.path()) {
            fs::remove_dir_all(aside).expect("removed");
        }
    }
}

/// Predictions and weights of every cell, which must be bit-identical however often the run was interrupted.
pub fn results(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for home in fs::read_dir(out).expect("readable") {
        let home = home.expect("readable").path();
        let name = home.file_name().expect("a name").to_owned();
        if !home.join("record.json").exists() {
            continue;
        }
        for file in fs::read_dir(&home).expect("readable") {
            let file = file.expect("readable").path();
            let key = Path::new(&name).join(file.file_name().expect("a name"));
            let bytes = match file.extension().and_then(|end| end.to_str()) {
                Some("jsonl") => fs::read(&file).expect("readable"),
                // Metadata beside the tensors names time and program.
                Some("safetensors") => {
                    let bytes = fs::read(&file).expect("readable");
                    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
                    bytes[8 + header as usize..].to_vec()
                }
                Some("json") => {
                    let mut record: serde_json::Value =
                        serde_json::from_slice(&fs::read(&file).expect("readable")).expect("JSON");
                    let training = &mut record["training"];
                    let curve = format!("{} {}", training["curve"], training["best_step"]);
                    curve.into_bytes()
                }
                _ => continue,
            };
            found.insert(key, bytes);
        }
    }
    found
}

/// The process that is killed.
#[derive(Debug, Clone, Copy)]
enum Whom {
    Group,
    Starter,
    Worker,
}

/// Kills a run at random moments until it has had enough time to finish, and compares the results with those of an
/// undisturbed run.
fn killed_and_done(kills: usize, seed: u64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let undisturbed = tempfile::tempdir().expect("a temporary folder");
    let (code, said) = ended(program(undisturbed.path(), RUN).arg("--jobs").arg("2"));
    assert_eq!(code, Some(0), "{said}");
    let wanted = results(&undisturbed.path().join("out"));
    let out = folder.path().join("out");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for kill in 0..kills {
        // Sometimes from the start, so that every part of a run is covered.
        if out.join("report.md").exists() || kill % 12 == 0 {
            let _ = fs::remove_dir_all(&out);
            let _ = fs::remove_dir_all(folder.path().join("runs"));
        }
        let mut child = program(folder.path(), RUN)
            .args(["--jobs", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("it runs");
        thread::sleep(Duration::from_millis(random.random_range(20..4_000)));
        let name = ["-KILL", "-KILL", "-TERM", "-HUP"][random.random_range(0..4)];
        let whom = [Whom::Group, Whom::Starter, Whom::Worker][random.random_range(0..3)];
        let workers = workers(child.id());
        let _ = match whom {
            Whom::Group => Command::new("kill")
                .args([name, "--", &format!("-{}", child.id())])
                .status(),
            Whom::Starter => Command::new("kill")
                .args([name, &child.id().to_string()])
                .status(),
            Whom::Worker => {
                let worker = workers.first().copied().unwrap_or(child.id());
                Command::new("kill")
                    .args([name, &worker.to_string()])
                    .status()
            }
        };
        let status = child.wait().expect("it ends");
        let known = [Some(0), Some(1), Some(129), Some(75)].contains(&status.code());
        assert!(
            known || status.signal().is_some(),
            "{name} {whom:?}: {status}"
        );
    }
    let started = Instant::now();
    let said = loop {
        let (code, said) = ended(program(folder.path(), RUN).arg("--jobs").arg("2"));
        if code == Some(0) {
            break said;
        }
        // Workers whose parent was killed may still be at their last step.
        assert!(started.elapsed() < Duration::from_secs(60), "{said}");
        thread::sleep(Duration::from_millis(200));
    };
    let found = results(&out);
    let names = |of: &BTreeMap<PathBuf, Vec<u8>>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted), "{said}");
    for (name, bytes) in &wanted {
        assert!(found[name] == *bytes, "{} differs", name.display());
    }
    let store = folder.path().join("runs/store");
    let mut left = beginning(&out, ".");
    left.extend(beginning(&store.join("unfinished"), ""));
    for kind in ["trainings", "searches", "reports"] {
        left.extend(beginning(&store.join(kind), "."));
    }
    assert_eq!(left, Vec::<PathBuf>::new(), "left over");
}

/// The processes that a process's threads have started.
fn workers(starter: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{starter}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let children =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<String> = children.collect();
    let ids = children.iter().flat_map(|of_one| of_one.split_whitespace());
    ids.filter_map(|child| child.parse().ok()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_workers_device_is_on_its_command_line_and_in_its_records() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let study = "--device cpu --replicas 2 --jobs 2";
    let mut child = program(folder.path(), RUN)
        .args(study.split(' '))
        .env("PROMPTSHIFT_DEVICE", "cuda:0,cuda:1")
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let started = Instant::now();
    let told = loop {
        assert!(started.elapsed() < Duration::from_secs(120), "no workers");
        let told = |worker: u32| fs::read_to_string(format!("/proc/{worker}/cmdline")).ok();
        let told: Vec<String> = workers(child.id()).into_iter().filter_map(told).collect();
        // Before it runs the program, a new process has the words of its parent.
        if told.len() == 2 && told.iter().all(|words| words.contains("\0worker\0")) {
            break told;
        }
        thread::sleep(Duration::from_millis(5));
    };
    for words in told {
        assert!(words.ends_with("\0worker\0--device=cpu\0"), "{words:?}");
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    for cell in ["prompt-seed0", "model-seed1"] {
        let record = fs::read(folder.path().join("out").join(cell).join("record.json"));
        let record: serde_json::Value =
            serde_json::from_slice(&record.expect("written")).expect("JSON");
        let provenance = &record["provenance"];
        assert_eq!(provenance["device"], "cpu");
        assert_eq!(provenance["side_by_side"], 2);
        assert_eq!(record["cell"]["recipe"]["memory"]["replicas"], 2);
    }
}

#[test]
fn a_killed_run_gives_the_same_results() {
    killed_and_done(6, 1);
}

#[test]
#[ignore = "ten minutes: the long form"]
fn a_run_killed_a_hundred_times_gives_the_same_results() {
    killed_and_done(100, 2);
}
