//! `toalign knowledge`: what of the source a network uses in the target, as patches of pictures.

use std::path::PathBuf;

use clap::Args;
use toalign::Result;
use toalign::config::{DataSource, DeviceChoice, transform};
use toalign::draw::Figure;
use toalign::draw::picture::png_uri;
use toalign::error::complain;
use toalign::explain::knowledge::learn::Settings;
use toalign::explain::knowledge::{Knowledge, NOTE};
use toalign::files::write_atomically;
use toalign::report::knowledge::{CSV_HEAD, answers_table, classes_csv, classes_table, knowledge_sheet};
use toalign::runs::session::Trained;
use toalign::setup::open_task;

use super::eval::{Which, require_data};
use super::say::{remark, say};

/// The run, and how its prototypes are learned.
#[derive(Args)]
#[command(after_help = "\
Examples:
  toalign knowledge --run runs/mini/Cl-Rw/hda/1                       knowledge.html: each prototype and its target partner
  toalign knowledge --run RUN --per-class 5 --shown 5 --pictures 40 --out mine.html")]
pub struct ShowKnowledge {
    /// Folder of the run, as `toalign train` prints it.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which of its checkpoints.
    #[arg(long, default_value = "last")]
    checkpoint: Which,
    /// Other data than the run's.
    #[arg(long)]
    data: Option<DataSource>,
    /// Prototypes of each class.
    #[arg(long, default_value_t = Settings::default().per_class)]
    per_class: usize,
    /// How many of them are shown: those that say most for the class.
    #[arg(long, default_value_t = 3)]
    shown: usize,
    /// About how many pictures of each class and domain they are learned from.
    #[arg(long, default_value_t = 20)]
    pictures: usize,
    /// Of the order of the pictures.
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// File for the page.
    #[arg(long, value_name = "FILE", default_value = "knowledge.html")]
    out: PathBuf,
    /// The table of classes as a file of comma-separated values.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Where to compute: `auto`, `cpu`, `cuda` or `cuda:N`.
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

impl ShowKnowledge {
    /// Prints the tables and writes the page.
    pub fn run(self) -> Result<()> {
        for (flag, number) in
            [("--per-class", self.per_class), ("--shown", self.shown), ("--pictures", self.pictures)]
        {
            if number == 0 {
                return Err(complain("at least 1", "0").at(flag).into());
            }
        }
        let trained = Trained::open(&self.run, self.checkpoint.into(), self.device)?;
        let mut config = trained.header.config.clone();
        require_data(&config, self.data.as_ref())?;
        config.data = self.data.unwrap_or(config.data);
        let config = config.check()?;
        let task = open_task(&config)?;
        remark(&task.remarks);
        trained.require_classes(&task.classes)?;

        let transform = transform(&config);
        let settings = Settings { per_class: self.per_class, seed: self.seed, ..Settings::default() };
        let knowledge = Knowledge::of(&trained.model, &transform, &task, self.pictures, &settings)?;
        let (answers, classes) = (answers_table(&knowledge), classes_table(&knowledge, &task.classes)?);
        say(format!("{}, {}", task.name, config.method_name()))?;
        say(&answers)?;
        say(&classes)?;
        let all: Vec<usize> = (0..task.classes.len()).collect();
        let mut sheets = String::new();
        // A picture of all 65 classes of Office-Home would be too large to open.
        for shown in all.chunks(13) {
            let drawn = knowledge_sheet(&knowledge, &transform, &task.classes, shown, self.shown)?.draw()?;
            let (uri, wide) = (png_uri(&drawn, u32::MAX)?, drawn.width() / toalign::draw::SCALE);
            sheets += &format!("<img src=\"{uri}\" width=\"{wide}\" alt=\"Prototypes\">\n");
        }
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>toalign knowledge</title>\n\
             <style>body {{ font-family: sans-serif; margin: 2em }} td, th {{ padding: 0 1em }}</style>\n\
             <h1>What {} knows on {}</h1>\n<p>{NOTE}</p>\n{}\n{sheets}{}\n</html>\n",
            config.method_name(),
            task.name,
            answers.to_html(),
            classes.to_html(),
        );
        write_atomically(&self.out, page.as_bytes())?;
        if let Some(path) = &self.csv {
            let (method, seed) = (config.method_name(), config.seed.to_string());
            let lines = classes_csv([&task.name, &method, &seed], &knowledge, &task.classes)?;
            write_atomically(path, (CSV_HEAD.to_owned() + &lines).as_bytes())?;
        }
        say(NOTE)?;
        say(format!("{} prototypes in {}", knowledge.matches.len(), self.out.display()))
    }
}
