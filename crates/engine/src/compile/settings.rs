//! What of the settings has to be checked or prepared before requests come.

use model::{Diagnostic, Diagnostics, Settings, settings::is_media_range};

use crate::{fault::Faults, language::LanguageCx};

/// Checks them; what cannot be prepared is told and left at its default.
pub(super) fn compile(settings: &Settings, mut cx: LanguageCx, problems: &mut Diagnostics) -> Faults {
    for (list, types) in settings.content_types.lists() {
        for (index, found) in types.iter().enumerate() {
            if !is_media_range(found) {
                problems.push(
                    Diagnostic::error(
                        format!("settings.contentTypes.{list}[{index}]"),
                        format!("found `{found}`, expected a media type without parameters"),
                    )
                    .help("write it like application/vnd.orders, or application/x-* for all that begin so"),
                );
            }
        }
    }
    let faults = Faults::compile(&settings.faults, &mut cx);
    let warnings = cx.take_warnings().into_iter();
    problems.0.extend(warnings.map(|problem| problem.under("settings.faults.defaultMessage")));
    faults.unwrap_or_else(|problem| {
        problems.push(problem.under("settings.faults"));
        Faults::default()
    })
}
