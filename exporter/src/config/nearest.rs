//! The name that somebody may have meant.

/// The name that takes the fewest changes of a letter, if they are few.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody's name is that long, and comparing costs the square of it.
    if wrong.len() > 64 {
        return None;
    }
    let wrong = wrong.to_ascii_lowercase();
    let (changes, name) = known.map(|name| (distance(&wrong, &name.to_ascii_lowercase()), name)).min()?;
    (changes <= 1 + wrong.len() / 4).then_some(name)
}

/// The number of letters to insert, delete or replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut above = at;
        let mut left = at + 1;
        let mut next = vec![left];
        for (cell, also) in row.iter().skip(1).zip(&other) {
            let replaced = above + usize::from(letter != *also);
            left = replaced.min(cell + 1).min(left + 1);
            above = *cell;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_letters_are_counted() {
        for (one, other, changes) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("port", "prot", 2),
            ("ä", "a", 1),
        ] {
            assert_eq!((distance(one, other), distance(other, one)), (changes, changes), "{one} {other}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = || ["port", "profile", "path"].into_iter();
        assert_eq!(nearest("prot", known()), Some("port"));
        assert_eq!(nearest("Profil", known()), Some("profile"));
        assert_eq!(nearest("retention", known()), None);
        assert_eq!(nearest(&"port".repeat(1_000), known()), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }
}
