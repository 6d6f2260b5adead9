/**
 * How everything is called. Names are fixed where another account, the command line or a policy has to know them before
 * the thing exists.
 */

/** What the command line looks for where nobody says `--function`: `tidegate-<installation>`. */
export function controllerName(installation: string): string {
  return `tidegate-${installation}`;
}

/**
 * The installation as the on-call function knows it: with it go its own configuration, roles with fewer rights, and the
 * function's name, so that `tidegate --installation main-on-call rollback …` finds all of them.
 */
export function onCallInstallation(installation: string): string {
  return `${installation}-on-call`;
}

/** The on-call function. */
export function onCallName(installation: string): string {
  return controllerName(onCallInstallation(installation));
}

/** The role in another account through which an environment is reached. The installation is the on-call one for people. */
export function environmentRoleName(installation: string, environment: string, onCall: boolean): string {
  return `tidegate-${installation}-${environment}${onCall ? "-on-call" : ""}`;
}

/** The event bus at home that takes hints from other accounts and regions. */
export function busName(installation: string): string {
  return `tidegate-${installation}`;
}

/** The role with which another account or region sends its hints home. */
export function forwarderRoleName(installation: string, region: string): string {
  return `tidegate-${installation}-hints-${region}`;
}

/** All alarms of an installation begin so. */
export function alarmPrefix(installation: string): string {
  return `tidegate-${installation}-`;
}

/** The folder of an installation's configuration in Parameter Store. */
export function parameterPath(installation: string): string {
  return `/tidegate/${installation}`;
}
