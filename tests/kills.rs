//! A sweep on Mini Office-Home is killed (SIGKILL) again and again, at random moments: after the last resumption every
//! result equals that of an undisturbed sweep, bit for bit.
//!
//! 50 kills, or as many as `TOALIGN_KILLS` says: `TOALIGN_KILLS=500 cargo test --test kills -- --nocapture`.

#[path = "common/same.rs"]
mod same;
#[path = "common/toy.rs"]
mod toy;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::Rng;
use same::assert_same_run;
use toalign::random::generator;
use toy::{command, toalign};

const SWEEP: &str = "sweep --tasks Cl-Rw --methods dannp+toalign --seeds 1,2 --steps 6 --test-every 3 \
                     --checkpoint-every 1 --log-every 2 --batch-size 4 --discriminator-hidden 16 \
                     --resize 16 --pad 0 --crop 16";

fn arguments(out: &str) -> Vec<&str> {
    SWEEP.split_whitespace().chain(["--out", out]).collect()
}

/// Sweeps until it is done or `moment` has come; whether it was killed.
fn killed(folder: &Path, out: &str, moment: Duration) -> bool {
    let mut sweep =
        command(folder, &arguments(out)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    loop {
        if let Some(status) = sweep.try_wait().unwrap() {
            assert!(status.success(), "the sweep failed");
            return false;
        }
        if start.elapsed() >= moment {
            sweep.kill().unwrap();
            return !sweep.wait().unwrap().success();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn after_fifty_kills_every_result_is_the_same() {
    let wanted: usize = std::env::var("TOALIGN_KILLS").map_or(50, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let output = toalign(folder.path(), &arguments("straight"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = start.elapsed();

    let runs = |out: &str| {
        ["1", "2"].map(|seed| folder.path().join(out).join("mini/Cl-Rw/dannp+toalign").join(seed))
    };
    let mut random = generator(1, "moments of death", 0, 0);
    let (mut kills, mut sweeps, mut resumed) = (0, 0, 0);
    while kills < wanted {
        sweeps += 1;
        let out = format!("killed-{sweeps}");
        while kills < wanted && killed(folder.path(), &out, whole.mul_f64(random.random_range(0.0..1.0))) {
            kills += 1;
        }
        assert!(!killed(folder.path(), &out, Duration::MAX));
        for (straight, killed) in runs("straight").iter().zip(runs(&out)) {
            assert_same_run(straight, &killed);
            let log = std::fs::read_to_string(killed.join("log.txt")).unwrap();
            resumed += log.matches("resumed after").count();
        }
    }
    println!("{kills} kills of {sweeps} sweeps, {resumed} resumptions, {:.0?}", start.elapsed());
    assert!(resumed > 0, "no kill came between the first checkpoint and the end");
}
