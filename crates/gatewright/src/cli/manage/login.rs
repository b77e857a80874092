//! `gatewright login` and `gatewright logout`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use http::Method;
use serde_json::json;

use super::{
    Outcome, Target, basic, print,
    profile::{self, Profile, USUAL},
};

#[derive(Debug, Args)]
pub struct Login {
    /// How long the login lasts.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    expires: model::Duration,
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
        let made =
            target.ask_as(&authorization, Method::POST, "/tokens", Some(body.to_string().into())).await?;
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
