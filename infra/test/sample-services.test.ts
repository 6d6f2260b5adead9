/** The sample services find each other where their environment has its service registry. */
import { describe, expect, it } from "vitest";
import type { RegistryProps } from "../lib/props.ts";
import { sampleArchives, smallest } from "./fixtures.ts";
import { flat, full, resources, statements, templateOf, type small } from "./templates.ts";

function withRegistry(registry: RegistryProps): typeof small {
  const { staging } = smallest().environments;
  const environments = { staging: { allowedFunctions: [], ...staging, registry } };
  const sampleServices = { environment: "staging", archives: sampleArchives() };
  return templateOf({ ...smallest(), environments, sampleServices }, "tidegate-main-sample-services");
}

/** Where `flight-bff` looks, which parameters there are, and which of them it may read. */
function lookup(template: typeof small) {
  const functions = Object.values(resources(template, "AWS::Lambda::Function"));
  const parameters = Object.values(resources(template, "AWS::SSM::Parameter"));
  const rights = statements(template, "StagingFlightBff").filter(({ Action }) => Action === "ssm:GetParameter");
  return {
    variables: functions.flatMap(({ Properties: { Environment: environment } }) => environment ?? []),
    parameters: parameters.map(({ Properties }) => Properties["Name"]),
    readable: rights.flatMap(({ Resource }) => Resource).map((arn) => flat(arn).replace(/.*:parameter/, "")),
  };
}

describe("the sample services", () => {
  it("have a parameter each, and the one that asks the others reads theirs", () => {
    const folder = "/services/staging";
    expect(lookup(full.samples)).toEqual({
      variables: [{ Variables: { SERVICE_REGISTRY: folder } }],
      parameters: [`${folder}/flight-service`, `${folder}/reservation-service`, `${folder}/flight-bff`],
      readable: [`${folder}/flight-service`, `${folder}/reservation-service`],
    });
    expect(lookup(withRegistry({ form: "perService", path: "/shop" })).readable).toEqual([
      "/shop/staging/flight-service",
      "/shop/staging/reservation-service",
    ]);
  });

  it("stand in one document where that is the form, which the controller takes for its own", () => {
    const template = withRegistry({ form: "document" });
    expect(lookup(template)).toEqual({
      variables: [{ Variables: { SERVICE_REGISTRY_DOCUMENT: "/services/registry" } }],
      parameters: ["/services/registry"],
      readable: ["/services/registry"],
    });
    const [parameter] = Object.values(resources(template, "AWS::SSM::Parameter"));
    const document = JSON.parse(flat(parameter?.Properties["Value"]).replaceAll(/<[^>]*>/g, "x")) as object;
    const live = { aliasArn: "x", version: "x" };
    expect(document).toEqual({
      schemaVersion: 1,
      environment: "staging",
      services: { "flight-service": live, "reservation-service": live, "flight-bff": live },
    });
  });
});
