//! What a user may call a domain: `Real World`, `real_world`, `Real`, `Rw`; and a task: `Ar-Rw`.

use crate::error::{Error, Result, complain, nearest};

/// How exactly a written name fits a domain; the lower the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Exact,
    SameLetters,
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
    let short = |&index: &usize| short_name(index, domains);
    format!("{}-{}", sources.iter().map(short).collect::<Vec<_>>().join("+"), short(&target))
}

/// The name that a task's folder and the tables use: two letters (`Rw`) if they mean this domain only, else all of it.
///
/// ```
/// use toalign::data::names::short_name;
/// let domains = ["Real World", "Product", "Painting", "Paper"].map(String::from);
/// assert_eq!(short_name(0, &domains), "Rw");
/// assert_eq!(short_name(1, &domains), "Pr");
/// assert_eq!(short_name(2, &domains), "Painting");
/// ```
pub fn short_name(index: usize, domains: &[String]) -> String {
    let words = words(&domains[index]);
    let letters: Vec<char> = match words.as_slice() {
        [] => vec![],
        [word] => word.chars().take(2).collect(),
        several => several.iter().filter_map(|word| word.chars().next()).collect(),
    };
    let mut short = String::new();
    for (place, letter) in letters.into_iter().enumerate() {
        match place {
            0 => short.extend(letter.to_uppercase()),
            _ => short.extend(letter.to_lowercase()),
        }
    }
    match find_domain(&short, domains) {
        Ok(found) if found == index => short,
        _ => domains[index].clone(),
    }
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
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Lower case, without spaces and underscores. What joins domains in a task's name, `-` and `+`, counts.
fn without_gaps(name: &str) -> String {
    name.chars()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn every_spelling_of_real_world_is_understood() {
        for folder in ["Real World", "RealWorld", "real_world", "real world", "realworld", "REAL_WORLD"] {
            let domains = named(&["Art", "Clipart", "Product", folder]);
            for written in ["Rw", "rw", "RealWorld", "real world", "Real_World", "Real", "REALWORLD"] {
                assert_eq!(find_domain(written, &domains).unwrap(), 3, "{written} for {folder}");
            }
        }
    }

    #[test]
    fn a_whole_name_wins_over_a_longer_one_that_begins_with_it() {
        let domains = named(&["Art", "Artistic", "art"]);
        assert_eq!(find_domain("Art", &domains).unwrap(), 0);
        assert_eq!(find_domain("art", &domains).unwrap(), 2);
        assert_eq!(find_domain("Arti", &domains).unwrap(), 1);
    }

    #[test]
    fn a_domain_may_contain_the_joining_letter() {
        let domains = named(&["elementary-xfce", "elementary", "gnome", "xfce-gnome"]);
        assert_eq!(
            find_task("elementary-xfce-gnome", &named(&["elementary-xfce", "gnome"])).unwrap(),
            (vec![0], 1)
        );
        assert_eq!(find_task("gnome-elementary-xfce", &domains).unwrap(), (vec![2], 0));
        assert_eq!(find_task("el-gn", &named(&["elementary-xfce", "gnome"])).unwrap(), (vec![0], 1));
    }

    #[test]
    fn several_sources_are_joined_by_plus() {
        let domains = named(&["Art", "Clipart", "Product", "Real World"]);
        let name = |task: &str| {
            find_task(task, &domains).map(|(sources, target)| task_name(&sources, target, &domains))
        };
        assert_eq!(name("product+art+Clip-real_world").unwrap(), "Ar+Cl+Pr-Rw");
        let message = |task: &str| name(task).unwrap_err().to_string();
        let expected = "--task: expected different domains, found 'Ar+Cl+art-Rw', twice Art";
        assert_eq!(message("Ar+Cl+art-Rw"), expected);
        assert!(message("Ar+Cl-Cl").contains("twice Clipart"));
        assert!(message("Ar+Sketch-Cl").contains("found 'Sketch'"), "{}", message("Ar+Sketch-Cl"));
        assert!(message("Ar+-Cl").contains("found ''"), "{}", message("Ar+-Cl"));
        let plus = named(&["a+b", "c++", "d"]);
        assert_eq!(find_task("a+b-d", &plus).unwrap(), (vec![0], 2));
        assert_eq!(find_task("c++-d", &plus).unwrap(), (vec![1], 2));
        let message = find_task("a+b+d-c", &plus).unwrap_err().to_string();
        assert!(message.contains("expected a domain of a+b, c++, d, found 'b'"), "{message}");
    }

    #[test]
    fn messages_name_what_exists() {
        let domains = named(&["Art", "Clipart", "Product", "Real World"]);
        let message = |task: &str| find_task(task, &domains).unwrap_err().to_string();
        assert_eq!(
            message("Clipart-Prodcut"),
            "--task: expected a domain of Art, Clipart, Product, Real World, found 'Prodcut'\n  \
             what to do: did you mean Product?"
        );
        assert_eq!(
            message("Quickdraw-Art"),
            "--task: expected a domain of Art, Clipart, Product, Real World, found 'Quickdraw'\n  \
             what to do: write one of these, or its beginning or initials"
        );
        assert_eq!(
            message("Art"),
            "--task: expected a task SOURCE-TARGET, found 'Art'\n  \
             what to do: name two of these domains, joined by '-': Art, Clipart, Product, Real World"
        );
        assert_eq!(message("Ar-art"), "--task: expected two different domains, found 'Ar-art', twice Art");
        assert!(message("-Art").contains("found ''"), "{}", message("-Art"));
        let unclear = find_domain("P", &named(&["Product", "Painting", "Art"])).unwrap_err();
        assert_eq!(
            unclear.to_string(),
            "--task: expected a name that fits one domain, found 'P'\n  what to do: write out one of Product, Painting"
        );
    }

    #[test]
    fn office_home_gets_its_usual_abbreviations() {
        let domains = named(&["Art", "Clipart", "Product", "RealWorld"]);
        let short: Vec<String> = (0..4).map(|index| short_name(index, &domains)).collect();
        assert_eq!(short, ["Ar", "Cl", "Pr", "Rw"]);
    }
}
