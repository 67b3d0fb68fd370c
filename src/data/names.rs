//! What a user may call a domain: `Real World`, `real_world`, `Real`, `Rw`; and a task: `Ar-Rw`.

use unicode_normalization::UnicodeNormalization;

use crate::error::{Error, Result, complain, nearest};

/// How exactly a written name fits a domain; the lower the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Exact,
    SameLetters,
    Abbreviation,
    Beginning,
    SomeLetters,
}

/// Which of `domains` the task `SOURCE-TARGET` means: the sources and the target, as indices.
///
/// Several sources are joined by `+`, as in `Ar+Cl-Rw`; they come out in the order of `domains`.
///
/// Case, spaces and underscores do not matter. A name may be shortened to its beginning (`Cl`), its initials (`Rw` for
/// `Real World`), or some of its letters in order, the first included (`Rw` for `realworld`), as long as only one
/// domain fits. A domain may contain `-` itself: of all places where the task can be cut, the one whose
/// names fit most exactly wins.
///
/// # Errors
/// If there is no `-`, a name fits no domain (the message lists them, and the nearest), a name fits several, or two
/// names mean the same domain.
///
/// ```
/// use toalign::data::names::find_task;
/// let domains = ["Art", "Clipart", "Product", "Real World"].map(String::from);
/// assert_eq!(find_task("Cl-Rw", &domains).unwrap(), (vec![1], 3));
/// assert_eq!(find_task("realworld-art", &domains).unwrap(), (vec![3], 0));
/// assert_eq!(find_task("Pr+Ar+Cl-Rw", &domains).unwrap(), (vec![0, 1, 2], 3));
/// ```
pub fn find_task(task: &str, domains: &[String]) -> Result<(Vec<usize>, usize)> {
    let cuts: Vec<(&str, &str)> =
        task.match_indices('-').map(|(at, _)| (&task[..at], &task[at + 1..])).collect();
    let Some(&first_cut) = cuts.first() else {
        return Err(complain("a task SOURCE-TARGET", format!("'{task}'"))
            .at("--task")
            .advice(format!("name two of these domains, joined by '-': {}", domains.join(", ")))
            .into());
    };
    let best = cuts
        .iter()
        .filter_map(|(source, target)| {
            let (mut unclear, mut worst) = (1, Fit::Exact);
            for name in sources_in(source, domains).into_iter().chain([*target]) {
                let (fit, indices) = fitting(name, domains)?;
                (unclear, worst) = (unclear * indices.len(), worst.max(fit));
            }
            Some((unclear, worst, (*source, *target)))
        })
        .min_by_key(|(unclear, fit, _)| (*unclear, *fit));
    // Without a cut that fits, take the one with a fitting name on one side, to complain about the other only.
    let (source, target) = match best {
        Some((_, _, cut)) => cut,
        None => cuts
            .iter()
            .copied()
            .find(|(source, target)| fitting(source, domains).or(fitting(target, domains)).is_some())
            .unwrap_or(first_cut),
    };
    let find = |name| find_domain(name, domains);
    let mut sources = sources_in(source, domains).into_iter().map(find).collect::<Result<Vec<usize>>>()?;
    let target = find_domain(target, domains)?;
    sources.sort();
    let named = [&sources[..], &[target]].concat();
    if let Some(twice) = twice(&named) {
        let expected = if named.len() == 2 { "two different domains" } else { "different domains" };
        return Err(complain(expected, format!("'{task}', twice {}", domains[twice])).at("--task").into());
    }
    Ok((sources, target))
}

/// What stands in a list a second time.
pub(crate) fn twice<T: Copy + PartialEq>(named: &[T]) -> Option<T> {
    (1..named.len()).find(|&place| named[..place].contains(&named[place])).map(|place| named[place])
}

/// The names joined by `+`; a domain that has one in its own name is not cut.
fn sources_in<'a>(written: &'a str, domains: &[String]) -> Vec<&'a str> {
    match fitting(written, domains) {
        Some(_) => vec![written],
        None => written.split('+').collect(),
    }
}

/// Which of `domains` the user means by `written`, as an index; see [`find_task`].
///
/// # Errors
/// If none fits, or several fit equally well.
pub fn find_domain(written: &str, domains: &[String]) -> Result<usize> {
    match fitting(written, domains) {
        Some((_, indices)) if indices.len() == 1 => Ok(indices[0]),
        Some((_, indices)) => {
            let fitting: Vec<&str> = indices.iter().map(|&index| domains[index].as_str()).collect();
            Err(complain("a name that fits one domain", format!("'{written}'"))
                .at("--task")
                .advice(format!("write out one of {}", fitting.join(", ")))
                .into())
        }
        None => Err(unknown_domain(written, domains)),
    }
}

fn unknown_domain(written: &str, domains: &[String]) -> Error {
    let advice = match nearest(written, domains.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "write one of these, or its beginning or initials".to_owned(),
    };
    complain(format!("a domain of {}", domains.join(", ")), format!("'{written}'"))
        .at("--task")
        .advice(advice)
        .into()
}

/// The short names of all tasks of two different domains, source by source.
///
/// ```
/// use toalign::data::names::all_tasks;
/// let domains = ["Art", "Clipart", "Real World"].map(String::from);
/// assert_eq!(all_tasks(&domains), ["Ar-Cl", "Ar-Rw", "Cl-Ar", "Cl-Rw", "Rw-Ar", "Rw-Cl"]);
/// ```
pub fn all_tasks(domains: &[String]) -> Vec<String> {
    let places = 0..domains.len();
    let pairs = places.clone().flat_map(|source| places.clone().map(move |target| (source, target)));
    let pairs = pairs.filter(|(source, target)| source != target);
    pairs.map(|(source, target)| task_name(&[source], target, domains)).collect()
}

/// The short name of the task from some domains to another, such as `Ar-Cl` or `Ar+Cl-Rw`.
pub fn task_name(sources: &[usize], target: usize, domains: &[String]) -> String {
    let sources: Vec<String> = sources.iter().map(|&index| short_name(&domains[index])).collect();
    format!("{}-{}", sources.join("+"), short_name(&domains[target]))
}

/// The name that a task's folder and the tables use: the field's two letters for the domains of the known data sets, the whole
/// name for every other. What else lies beside a domain does not change it, so that a run is found again.
///
/// ```
/// use toalign::data::names::short_name;
/// assert_eq!(short_name("Real World"), "Rw");
/// assert_eq!(short_name("clipart"), "Cl");
/// assert_eq!(short_name("Archive"), "Archive");
/// ```
pub fn short_name(domain: &str) -> String {
    abbreviation(domain).map_or_else(|| domain.to_owned(), str::to_owned)
}

/// The domains of Office-Home, Office-31, DomainNet, VisDA-2017 and PACS by their letters, as tables of the field shorten them,
/// and the styles of the icons.
const ABBREVIATIONS: [(&str, &str); 18] = [
    ("art", "Ar"),
    ("clipart", "Cl"),
    ("product", "Pr"),
    ("realworld", "Rw"),
    ("amazon", "Am"),
    ("dslr", "Ds"),
    ("webcam", "We"),
    ("infograph", "In"),
    ("painting", "Pa"),
    ("quickdraw", "Qu"),
    ("real", "Re"),
    ("sketch", "Sk"),
    ("synthetic", "Sy"),
    ("photo", "Ph"),
    ("line", "Li"),
    ("solid", "So"),
    ("flat", "Fl"),
    ("emoji", "Em"),
];

fn abbreviation(domain: &str) -> Option<&'static str> {
    let letters = letters(domain);
    ABBREVIATIONS.iter().find(|(name, _)| *name == letters).map(|(_, short)| *short)
}

/// What [`task_name`] was in versions that shortened every domain to two letters where those meant it alone.
pub(crate) fn earlier_task_name(sources: &[usize], target: usize, domains: &[String]) -> String {
    let short = |&index: &usize| {
        let words = words(&domains[index]);
        let letters: String = match words.as_slice() {
            [word] => word.chars().take(2).collect(),
            several => several.iter().filter_map(|word| word.chars().next()).collect(),
        };
        let mut letters = letters.chars();
        let first = letters.next().map(char::to_uppercase).into_iter().flatten();
        let short: String = first.chain(letters.flat_map(char::to_lowercase)).collect();
        match find_domain(&short, domains) {
            Ok(found) if found == index => short,
            _ => domains[index].clone(),
        }
    };
    format!("{}-{}", sources.iter().map(short).collect::<Vec<_>>().join("+"), short(&target))
}

/// The domains that fit `written` best, and how well; `None` if none does.
fn fitting(written: &str, domains: &[String]) -> Option<(Fit, Vec<usize>)> {
    let fits: Vec<Option<Fit>> = domains.iter().map(|domain| fit(written, domain)).collect();
    let best = fits.iter().flatten().min().copied()?;
    let indices = (0..domains.len()).filter(|&index| fits[index] == Some(best)).collect();
    Some((best, indices))
}

fn fit(written: &str, domain: &str) -> Option<Fit> {
    let (letters, domain_letters) = (without_gaps(written), without_gaps(domain));
    let initials: String = words(domain).iter().filter_map(|word| word.chars().next()).collect();
    if letters.is_empty() {
        None
    } else if written == domain {
        Some(Fit::Exact)
    } else if letters == domain_letters {
        Some(Fit::SameLetters)
    } else if abbreviation(domain).is_some_and(|short| short.to_lowercase() == letters) {
        Some(Fit::Abbreviation)
    } else if domain_letters.starts_with(&letters) || letters == initials.to_lowercase() {
        Some(Fit::Beginning)
    } else if domain_letters.chars().next() == letters.chars().next() && in_order(&letters, &domain_letters) {
        Some(Fit::SomeLetters)
    } else {
        None
    }
}

/// A name by its letters and digits alone, in lower case: `Real World`, `real_world` and `REAL-WORLD` are one.
pub(crate) fn letters(name: &str) -> String {
    name.nfc().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Lower case, without spaces and underscores. What joins domains in a task's name, `-` and `+`, counts.
fn without_gaps(name: &str) -> String {
    name.nfc()
        .filter(|letter| !letter.is_whitespace() && *letter != '_')
        .flat_map(char::to_lowercase)
        .collect()
}

/// `Real World`, `real_world`, `real-world` and `RealWorld` all have two words.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for letter in name.chars() {
        let separator = letter.is_whitespace() || letter == '_' || letter == '-';
        if separator || (letter.is_uppercase() && after_small) {
            words.push(String::new());
        }
        if let (false, Some(word)) = (separator, words.last_mut()) {
            word.push(letter);
        }
        after_small = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn in_order(few: &str, many: &str) -> bool {
    let mut many = many.chars();
    few.chars().all(|wanted| many.any(|letter| letter == wanted))
}
