//! `gatewright user`.

use std::{io::BufRead, process::ExitCode};

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::{Outcome, Target, ask_password, encode, print};

#[derive(Debug, Args)]
pub struct User {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a user, with a password that is asked for.
    Create {
        /// Name of the user.
        name: String,
        /// A group that the user is in, such as API-Gateway-Providers; may be said several times.
        #[arg(long, value_name = "NAME")]
        group: Vec<String>,
        /// E-mail address of the user.
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        #[command(flatten)]
        password: NewPassword,
        #[command(flatten)]
        target: Target,
    },
    /// Set the password of a user.
    Password {
        /// Name of the user.
        name: String,
        #[command(flatten)]
        password: NewPassword,
        #[command(flatten)]
        target: Target,
    },
    /// Take the second factor from a user who has lost it.
    ResetSecondFactor {
        /// Name of the user.
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Let a user log in again at once for whom too many passwords were wrong.
    Unlock {
        /// Name of the user.
        name: String,
        #[command(flatten)]
        target: Target,
    },
}

/// The password that a user gets.
#[derive(Debug, Args)]
struct NewPassword {
    /// It has to be changed at the first login.
    #[arg(long)]
    temporary: bool,
    /// Read the password from the first line of standard input, instead of asking for it.
    #[arg(long)]
    stdin: bool,
}

impl NewPassword {
    fn read(&self, user: &str) -> Result<String, String> {
        if self.stdin {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
            return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
        }
        let password = ask_password(&format!("New password of {user}: "))?;
        if ask_password("The same again: ")? != password {
            return Err("the two are not the same".to_owned());
        }
        Ok(password)
    }

    async fn set(&self, target: &Target, user: &str, password: &str) -> Result<(), String> {
        let body = json!({ "password": password, "temporary": self.temporary });
        let path = format!("/users/{}/password", encode(user));
        target.ask(Method::PUT, &path, Some(body.to_string().into())).await.map(|_| ())
    }
}

impl User {
    pub async fn run(self) -> Outcome {
        match self.command {
            Command::Create { name, group, email, password, target } => {
                let secret = password.read(&name)?;
                let mut user = json!({ "name": name, "groups": group });
                if let Some(email) = email {
                    user["email"] = email.into();
                }
                target.post("/users", user.to_string().into()).await?;
                if let Err(problem) = password.set(&target, &name, &secret).await {
                    return Err(format!(
                        "{name} was made, and has no password yet: {problem}\n`gatewright user password {name}` sets one"
                    ));
                }
                print(format_args!("{name} was made"));
            }
            Command::Password { name, password, target } => {
                let secret = password.read(&name)?;
                password.set(&target, &name, &secret).await?;
                print(format_args!("the password of {name} was set"));
            }
            Command::ResetSecondFactor { name, target } => {
                target.ask(Method::DELETE, &format!("/users/{}/secondFactor", encode(&name)), None).await?;
                print(format_args!("{name} has no second factor any more"));
            }
            Command::Unlock { name, target } => {
                target.ask(Method::DELETE, &format!("/lockedAccounts/{}", encode(&name)), None).await?;
                print(format_args!("{name} can log in again"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
