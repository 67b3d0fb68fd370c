//! A sweep as an array job of Slurm: the script, one index per run.

use std::path::{Path, PathBuf};

use askama::Template;
use clap::{Args, Command};

use crate::error::{Result, complain, file_error};

/// The flag whose value is the file of the script.
const SCRIPT: &str = "slurm";

/// What every run of the array asks of Slurm; names and formats are those of `sbatch`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Slurm")]
pub struct Requests {
    /// GPUs per run [default: 1 if built for them, else 0].
    #[arg(long, value_name = "N", default_value_t = u32::from(cfg!(feature = "cuda")), hide_default_value = true, requires = SCRIPT)]
    pub gpus: u32,
    /// Time limit of a run, such as 90 (minutes), 12:00:00 or 1-06:00:00; a run that needs longer is put back into the queue.
    #[arg(long, default_value = "12:00:00", requires = SCRIPT)]
    pub time: String,
    /// Processor cores per run.
    #[arg(long, value_name = "N", default_value_t = 4, requires = SCRIPT)]
    pub cpus_per_task: u32,
    /// Memory per run, such as 16G.
    #[arg(long, value_name = "SIZE", requires = SCRIPT)]
    pub mem: Option<String>,
    /// Slurm's partition [default: the cluster's].
    #[arg(long, value_name = "NAME", requires = SCRIPT)]
    pub partition: Option<String>,
    /// The most runs at a time [default: no limit].
    #[arg(long, value_name = "N", requires = SCRIPT)]
    pub array_limit: Option<u32>,
}

impl Requests {
    /// Refuses what could not stand in a line of the script; whether the cluster has it, Slurm alone knows.
    fn check(&self) -> Result<()> {
        let time = |text: &str| text.chars().all(|letter| letter.is_ascii_digit() || ":-".contains(letter));
        let name =
            |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.,".contains(letter));
        let size = |text: &str| text.starts_with(|first: char| first.is_ascii_digit()) && name(text);
        for (flag, expected, value, fine) in [
            ("--time", "a time limit", Some(&self.time), &time as &dyn Fn(&str) -> bool),
            ("--mem", "a size", self.mem.as_ref(), &size),
            ("--partition", "the name of a partition", self.partition.as_ref(), &name),
        ] {
            if let Some(value) = value.filter(|value| value.is_empty() || !fine(value)) {
                return Err(complain(expected, format!("'{value}'"))
                    .at(flag)
                    .advice("write it as for sbatch: --time 12:00:00, --mem 16G, --partition gpu")
                    .into());
            }
        }
        for (flag, value) in
            [("--cpus-per-task", Some(self.cpus_per_task)), ("--array-limit", self.array_limit)]
        {
            if value == Some(0) {
                return Err(complain("a whole number of at least 1", "0").at(flag).into());
            }
        }
        Ok(())
    }
}

/// A script for `sbatch`.
pub struct Script {
    /// What it says.
    pub text: String,
    /// Where what the runs say goes: this folder has to be there, since Slurm does not make it.
    pub logs: PathBuf,
}

/// The script for this very command line, which plans so many runs under `root`, without `--slurm`.
///
/// # Errors
/// As [`array_script`].
pub fn script_of_this_command(runs: usize, root: &Path, requests: &Requests) -> Result<Script> {
    let program = std::env::current_exe().map_err(|error| file_error("find", "toalign", error))?;
    let folder = std::env::current_dir().map_err(|error| file_error("open", ".", error))?;
    let arguments = std::env::args_os().skip(1).map(|argument| {
        let text = argument.into_string();
        text.map_err(|bytes| complain("arguments in UTF-8", format!("{bytes:?}")).at("--slurm").into())
    });
    let arguments: Vec<String> = arguments.collect::<Result<_>>()?;
    let logs = folder.join(root).join("slurm");
    let text = array_script(&program, &arguments, runs, &folder, &logs, requests)?;
    Ok(Script { text, logs })
}

#[derive(Template)]
#[template(path = "slurm.sbatch", config = "src/runs/askama.toml", escape = "none")]
struct ScriptTemplate<'a> {
    runs: usize,
    last: usize,
    log: String,
    requests: &'a Requests,
    folder: String,
    command: String,
}

/// The script for `sbatch`: in `folder`, index K gives `program` the arguments and `--index K`; what it says goes to a
/// file per run in the folder `logs`, which has to exist.
///
/// `arguments` are those of the sweep that asks for the script; its flags for Slurm are left out.
///
/// # Errors
/// If a request cannot be meant, or a path or an argument is no text that fits into a line.
pub fn array_script(
    program: &Path,
    arguments: &[String],
    runs: usize,
    folder: &Path,
    logs: &Path,
    requests: &Requests,
) -> Result<String> {
    requests.check()?;
    let mut command = vec![word(text_of(program)?)?];
    for argument in without_own_flags(arguments) {
        command.push(word(argument)?);
    }
    let script = ScriptTemplate {
        runs,
        last: runs.saturating_sub(1),
        log: in_directive(text_of(logs)?)? + "/%x-%A_%a.log\"",
        requests,
        folder: word(text_of(folder)?)?,
        command: command.join(" "),
    };
    let text =
        script.render().map_err(|error| complain("a script that can be filled in", error.to_string()))?;
    Ok(text + "\n")
}

/// The arguments without `--slurm` and the requests.
fn without_own_flags(arguments: &[String]) -> Vec<&str> {
    let own: Vec<String> = Requests::augment_args(Command::new("requests"))
        .get_arguments()
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .collect();
    let script = format!("--{SCRIPT}");
    let mut left = Vec::new();
    let mut arguments = arguments.iter().map(String::as_str).peekable();
    while let Some(argument) = arguments.next() {
        let (flag, value) = match argument.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (argument, None),
        };
        if flag == script {
            // The only flag whose value may be absent.
            if value.is_none() {
                arguments.next_if(|next| *next == "-" || !next.starts_with('-'));
            }
        } else if own.iter().any(|name| name == flag) {
            if value.is_none() {
                arguments.next();
            }
        } else {
            left.push(argument);
        }
    }
    left
}

fn text_of(path: &Path) -> Result<&str> {
    let text = path.to_str();
    Ok(text.ok_or_else(|| complain("a path in UTF-8", "other bytes").at(path.display()))?)
}

/// A word of the shell that means `text`.
fn word(text: &str) -> Result<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-+=./,:@%".contains(letter);
    let text = one_line(text)?;
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// `text` with an opening quotation mark, as `sbatch` reads the value of an option; `%` begins its own abbreviations.
fn in_directive(text: &str) -> Result<String> {
    let text = one_line(text)?.replace('\\', r"\\").replace('"', r#"\""#).replace('%', "%%");
    Ok(format!("\"{text}"))
}

fn one_line(text: &str) -> Result<&str> {
    if text.contains(['\n', '\r', '\0']) {
        return Err(complain("paths and arguments of one line", format!("{text:?}")).at("--slurm").into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Requests {
        Requests {
            gpus: 1,
            time: "1-06:00:00".into(),
            cpus_per_task: 8,
            mem: Some("16G".into()),
            partition: Some("gpu".into()),
            array_limit: Some(4),
        }
    }

    fn script(arguments: &[&str], requests: &Requests) -> Result<String> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let [program, folder, logs] = ["/opt/toalign", "/home/ada/my study", "/home/ada/my study/runs/slurm"];
        array_script(Path::new(program), &arguments, 24, Path::new(folder), Path::new(logs), requests)
    }

    fn directives(script: &str) -> Vec<&str> {
        script.lines().filter_map(|line| line.strip_prefix("#SBATCH ")).collect()
    }

    #[test]
    fn the_script_asks_for_what_was_requested() {
        let text = script(&["sweep", "--seeds", "1,2"], &requests()).unwrap();
        assert!(text.starts_with("#!/bin/bash\n# 24 runs of a sweep"), "{text}");
        let expected = [
            "--job-name=toalign",
            "--array=0-23%4",
            "--output=\"/home/ada/my study/runs/slurm/%x-%A_%a.log\"",
            "--open-mode=append",
            "--time=1-06:00:00",
            "--cpus-per-task=8",
            "--mem=16G",
            "--gres=gpu:1",
            "--partition=gpu",
            "--requeue",
            "--signal=B:USR1@60",
        ];
        assert_eq!(directives(&text), expected);
        assert!(
            text.contains(
                "\ncd '/home/ada/my study' || exit 1\n\
                 export RAYON_NUM_THREADS=\"${SLURM_CPUS_PER_TASK:-8}\"\n\
                 /opt/toalign sweep --seeds 1,2 --index \"$SLURM_ARRAY_TASK_ID\" &\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("\nwait \"$run\"\n"), "{text}");
    }

    #[test]
    fn what_was_not_requested_is_not_in_the_script() {
        let few = Requests { gpus: 0, mem: None, partition: None, array_limit: None, ..requests() };
        let text = script(&["sweep"], &few).unwrap();
        let lines = directives(&text);
        assert_eq!(lines.len(), 8, "{lines:?}");
        assert_eq!(lines[1], "--array=0-23");
        assert!(!text.contains("gres") && !text.contains("\n\n\n"), "{text}");
    }

    #[test]
    fn flags_for_slurm_are_not_given_to_the_runs() {
        let all = "sweep --time 90 --tasks all --slurm job.sh --gpus=2 --mem 4G --jobs 2 --array-limit 3";
        for (arguments, left) in [
            (all, "sweep --tasks all --jobs 2"),
            ("sweep --slurm --seeds 1", "sweep --seeds 1"),
            ("sweep --slurm - --seeds 1", "sweep --seeds 1"),
            ("sweep --slurm=time --partition long --steps 9", "sweep --steps 9"),
        ] {
            let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
            assert_eq!(without_own_flags(&arguments).join(" "), left);
        }
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        for (text, expected) in [
            ("hda+toalign,dannp", "hda+toalign,dannp"),
            ("", "''"),
            ("my pictures", "'my pictures'"),
            ("it's $HOME;`ls`", r"'it'\''s $HOME;`ls`'"),
            ("größe", "'größe'"),
        ] {
            assert_eq!(word(text).unwrap(), expected);
        }
        let message = word("two\nlines").unwrap_err().to_string();
        assert!(
            message.contains(r#"expected paths and arguments of one line, found "two\nlines""#),
            "{message}"
        );
        assert_eq!(in_directive(r#"a "b" 5%"#).unwrap(), r#""a \"b\" 5%%"#);
    }

    #[test]
    fn requests_that_cannot_be_meant_are_named() {
        for (requests, start) in [
            (Requests { time: "1 day".into(), ..requests() }, "--time: expected a time limit, found '1 day'"),
            (Requests { time: String::new(), ..requests() }, "--time: expected a time limit, found ''"),
            (Requests { mem: Some("lots".into()), ..requests() }, "--mem: expected a size, found 'lots'"),
            (
                Requests { partition: Some("gpu\n#SBATCH".into()), ..requests() },
                "--partition: expected the name of a partition, found 'gpu",
            ),
            (Requests { cpus_per_task: 0, ..requests() }, "--cpus-per-task: expected a whole number"),
            (Requests { array_limit: Some(0), ..requests() }, "--array-limit: expected a whole number"),
        ] {
            let message = script(&["sweep"], &requests).unwrap_err().to_string();
            assert!(message.starts_with(start), "{message}");
        }
    }
}
