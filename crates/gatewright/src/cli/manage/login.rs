//! `gatewright login` and `gatewright logout`.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde_json::json;

use super::{
    Outcome, Target, basic, print,
    profile::{self, Profile, USUAL},
};

/// What the manager says to a password that is right when the user has a second factor.
const NEEDS_CODE: &str = "second_factor_needed";

#[derive(Debug, Args)]
pub struct Login {
    /// How long the login lasts.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    expires: model::Duration,
    /// A code of the second factor, or a recovery code. Default: it is asked for when the user has a second factor.
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl Login {
    pub async fn run(self) -> Outcome {
        let target = self.target;
        let manager = target.manager()?;
        let password = match std::env::var("GATEWRIGHT_PASSWORD") {
            Ok(password) => password,
            Err(_) => super::ask_password(&format!("Password of {} at {manager}: ", target.user))?,
        };
        let body = json!({ "name": "gatewright login", "expiresIn": self.expires });
        let authorization = basic(&target.user, &password);
        let body = Bytes::from(body.to_string());
        let ask = async |code: Option<&str>| {
            target.try_send(&authorization, code, Method::POST, "/tokens", Some(body.clone())).await
        };
        let answer = match ask(self.code.as_deref()).await? {
            Err(refusal) if refusal.code == NEEDS_CODE && std::io::stdin().is_terminal() => {
                let code = super::ask_password(&format!("Code of the second factor of {}: ", target.user))?;
                ask(Some(&code)).await?
            }
            Err(refusal) if refusal.code == NEEDS_CODE => {
                return Err(format!("{} has a second factor: say its code with --code", target.user));
            }
            answer => answer,
        };
        let made = super::json(answer.map_err(|refusal| refusal.text)?).await?;
        let text = |key: &str| made[key].as_str().map(str::to_owned).unwrap_or_default();
        // Later commands may be run from another folder.
        let absolute = |file: PathBuf| std::path::absolute(&file).unwrap_or(file);
        let ca = target.ca()?.map(absolute);
        let mut profiles = profile::read()?;
        let profile = Profile {
            manager: manager.clone(),
            user: text("user"),
            token: text("token"),
            token_id: text("id"),
            ca,
        };
        let name = target.profile.clone().unwrap_or_else(|| USUAL.to_owned());
        let before = profiles.insert(name.clone(), profile);
        let file = profile::write(&profiles)?;
        if let Some(before) = before.filter(|before| before.manager == manager) {
            // It is of no use any more; that it cannot be taken away is no reason to fail.
            let _ = target
                .ask(Method::DELETE, &format!("/tokens/{}", super::encode(&before.token_id)), None)
                .await;
        }
        print(format_args!(
            "{} is logged in at {manager} for {}; profile {name} in {}",
            text("user"),
            self.expires,
            file.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub struct Logout {
    /// Name of the profile.
    #[arg(long, value_name = "NAME", env = "GATEWRIGHT_PROFILE", default_value = USUAL)]
    profile: String,
}

impl Logout {
    pub async fn run(self) -> Outcome {
        let mut profiles = profile::read()?;
        let Some(profile) = profiles.remove(&self.profile) else {
            return Err(format!("nobody is logged in as profile {}", self.profile));
        };
        let target = Target::of(&profile);
        let token = format!("Bearer {}", profile.token);
        let path = format!("/tokens/{}", super::encode(&profile.token_id));
        let taken = target.ask_as(&token, Method::DELETE, &path, None).await;
        profile::write(&profiles)?;
        // Here it is forgotten whatever the manager says.
        match taken {
            Ok(_) => print(format_args!("logged out of {}", profile.manager)),
            Err(problem) => print(format_args!(
                "logged out here; the token may still be known at {}: {problem}",
                profile.manager
            )),
        }
        Ok(ExitCode::SUCCESS)
    }
}
