//! `toalign data`: fetching a data set, what belongs to it, and whether it is all there.

use clap::{Args, Subcommand};
use toalign::Result;
use toalign::config::DataSource;
use toalign::data::check::{DomainCheck, Wrong};
use toalign::data::office_home::published_list;
use toalign::error::complain;
use toalign::report::table::{Align, Table};
use toalign::setup::{check_data, left_out};

use super::fetch;
use super::say::{remark, say};

/// What to do with a data set.
#[derive(Args)]
pub struct Data {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the published list of one domain of Office-Home, a picture and its label in each line
    List(List),
    /// Count and decode every picture, and name each file that is missing, extra or unreadable
    Check(Check),
    /// Fetch Office-Home or pretrained weights from the hub, or icons of its classes by way of npm
    Fetch(fetch::Fetch),
}

/// The domain.
#[derive(Args)]
#[command(after_help = "\
Example:
  toalign data list --domain Art > art.txt")]
struct List {
    /// Art, Clipart, Product or Real World, or its beginning.
    #[arg(long)]
    domain: String,
}

/// The pictures.
#[derive(Args)]
#[command(after_help = "\
Examples:
  toalign data check office-home:OfficeHomeDataset_10072016
  toalign data check icons:icons
  toalign data check folder:pictures
  toalign data check lists:dataset_map/domainnet@domainnet
The exit code is 0 if nothing is wrong, else 1.")]
struct Check {
    /// The data set, as --data has it.
    data: DataSource,
}

impl Data {
    /// Does what the subcommand says.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::List(list) => say(published_list::lines(&list.domain)?.join("\n")),
            Command::Check(check) => check.run(),
            Command::Fetch(fetch) => fetch.run(),
        }
    }
}

impl Check {
    /// Prints two tables and every file that is not as it should be.
    fn run(self) -> Result<()> {
        remark(&left_out(&self.data)?);
        let domains = check_data(&self.data)?;
        say(table_of_classes(&domains))?;
        say(table_of_domains(&domains))?;
        let mut wrong = 0;
        for finding in domains.iter().flat_map(|domain| &domain.findings) {
            wrong += 1;
            let file = finding.file.display();
            match &finding.wrong {
                Wrong::Missing => say(format!("missing: {file}"))?,
                Wrong::Extra => say(format!("extra: {file}"))?,
                Wrong::Unreadable(reason) => say(format!("unreadable: {file}: {reason}"))?,
            }
        }
        match wrong {
            0 => say("nothing is missing, extra or unreadable"),
            _ => Err(complain("every file in its place and readable", format!("{wrong} that are not"))
                .at(self.data)
                .advice("mend the files that are listed above")
                .into()),
        }
    }
}

fn table_of_classes(domains: &[DomainCheck]) -> Table {
    let heads = domains.iter().map(|domain| (domain.name.as_str(), Align::Right));
    let mut table = Table::new([("class", Align::Left)].into_iter().chain(heads));
    let classes = domains.first().map_or(0, |domain| domain.classes.len());
    for label in 0..classes {
        let cells = domains.iter().map(|domain| {
            let class = &domain.classes[label];
            match class.expected {
                Some(expected) if expected != class.found => format!("{} of {expected}", class.found),
                _ => class.found.to_string(),
            }
        });
        table.push([domains[0].classes[label].class.clone()].into_iter().chain(cells));
    }
    table
}

fn table_of_domains(domains: &[DomainCheck]) -> Table {
    let counts = ["expected", "found", "missing", "extra", "unreadable"].map(|name| (name, Align::Right));
    let heads = [("domain", Align::Left)].into_iter().chain(counts).chain([("where", Align::Left)]);
    let mut table = Table::new(heads);
    for domain in domains {
        let expected = domain.expected().map_or(String::new(), |count| count.to_string());
        let counts = domain.counts().map(|count| count.to_string());
        let place = domain.place.as_ref().map_or("nowhere".to_owned(), |place| place.display().to_string());
        let cells = [domain.name.clone(), expected, domain.found().to_string()].into_iter();
        table.push(cells.chain(counts).chain([place]));
    }
    table
}
