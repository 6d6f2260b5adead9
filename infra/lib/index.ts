/** What other stacks import. */
export { TidegateController } from "./controller.ts";
export { InvalidProps } from "./problems.ts";
export type {
  AlarmProps,
  EnvironmentProps,
  GithubAppProps,
  RegistryProps,
  RepositoryProps,
  StateProps,
  TidegateControllerProps,
} from "./props.ts";
export { SampleServices, type SampleServicesProps } from "./sample-services.ts";
export { TidegateTarget, type TidegateTargetProps } from "./target.ts";
