//! What a user may call domains and tasks.

use toalign::data::names::*;

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
    let name =
        |task: &str| find_task(task, &domains).map(|(sources, target)| task_name(&sources, target, &domains));
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
    let short: Vec<String> = domains.iter().map(|domain| short_name(domain)).collect();
    assert_eq!(short, ["Ar", "Cl", "Pr", "Rw"]);
}
