// Validates the manifests of standard input, a JSON array, against the schemas of the projects whose kinds they are.
// Prints an array with null for each that is valid, and the fault of each other one.
import * as gateway from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import * as monitoring from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const GROUPS = { "gateway.networking.k8s.io/v1": gateway, "monitoring.coreos.com/v1": monitoring };

let text = "";
for await (const piece of process.stdin) text += piece;
const faults = JSON.parse(text).map((manifest) => {
  try {
    const Kind = GROUPS[manifest.apiVersion]?.[manifest.kind];
    if (Kind === undefined) return `there is no ${manifest.apiVersion} ${manifest.kind}`;
    new Kind(manifest).validate();
    return null;
  } catch (error) {
    return String(error.message);
  }
});
console.log(JSON.stringify(faults));
