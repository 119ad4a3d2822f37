//! Text of strangers, as one line that a terminal can show.

/// The text on one line, its white space folded, of so many characters at most, without characters that a terminal obeys or
/// that turn the text beside them round.
pub(super) fn clean(text: &str, longest: usize) -> String {
    let is_bidi = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut line = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        if count > 0 {
            line.push(' ');
            count += 1;
        }
        for c in word.chars() {
            if count + 1 >= longest {
                line.push('…');
                return line;
            }
            line.push(if c.is_control() || is_bidi(c) {
                '\u{fffd}'
            } else {
                c
            });
            count += 1;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_is_one_line_that_commands_nothing() {
        assert_eq!(clean(" a\n\tb  c ", 9), "a b c");
        assert_eq!(clean("\u{1b}[2Ja\u{202e}b", 99), "\u{fffd}[2Ja\u{fffd}b");
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean("", 4), "");
    }
}
