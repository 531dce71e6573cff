//! Modules of scripts as one script, for a file that cannot load any.
//!
//! Each module becomes a function that returns what it exports, so that names of two modules cannot meet. Of the language it takes
//! what the dashboard's own files use: imports in braces, on one line, from files beside; exports of constants, functions and classes.

use std::fmt::Write as _;

/// One script of modules, given as name and text: a module imports from those before it only.
pub(super) fn bundle(modules: &[(&str, &str)]) -> String {
    let mut script = String::new();
    for (name, text) in modules {
        let mut exported = Vec::new();
        // A string takes everything.
        let _ = writeln!(script, "const ${name} = (() => {{");
        for line in text.lines() {
            let line = if let Some(names) = exported_of(line) {
                exported.push(names);
                line.trim_start_matches("export ")
            } else {
                line
            };
            let _ = match import_of(line) {
                Some((names, from)) => {
                    writeln!(script, "const {{ {} }} = ${from};", names.replace(" as ", ": "))
                }
                None => writeln!(script, "{line}"),
            };
        }
        let _ = writeln!(script, "return {{ {} }};\n}})();", exported.join(", "));
    }
    script
}

/// What a line exports.
fn exported_of(line: &str) -> Option<&str> {
    let declared = line.strip_prefix("export ")?.trim_start_matches("async ");
    let (_, rest) = declared.split_once(' ')?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// What a line imports, and from which module.
fn import_of(line: &str) -> Option<(&str, &str)> {
    let (names, from) = line.strip_prefix("import { ")?.split_once(" } from './")?;
    Some((names, from.strip_suffix(".js';")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_becomes_a_function_that_returns_what_it_exports() {
        let one = "export const a = 1;\nconst hidden = 2;\nexport async function b() {}\nexport class C {}\n";
        let other = "import { a, b as bee } from './one.js';\nbee(a);\n";
        let expected = "const $one = (() => {\nconst a = 1;\nconst hidden = 2;\nasync function b() {}\nclass C {}\n\
            return { a, b, C };\n})();\nconst $other = (() => {\nconst { a, b: bee } = $one;\nbee(a);\nreturn {  };\n})();\n";
        assert_eq!(bundle(&[("one", one), ("other", other)]), expected);
    }
}
