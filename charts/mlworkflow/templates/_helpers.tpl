{{/*
Names, labels and the parts of Pods that are the same everywhere.

A helper takes the root context, or a list whose first item is the root context and whose second says what for: the
component's name, an image's values, a component's values. Helpers that give YAML give it without indentation.
*/}}

{{/* The beginning of every name; short enough for the longest ending, and for the names a StatefulSet derives. */}}
{{- define "mlworkflow.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Cluster-scoped names carry the namespace, so that releases in two namespaces do not meet. */}}
{{- define "mlworkflow.clusterName" -}}
{{ include "mlworkflow.fullname" . }}:{{ .Release.Namespace }}
{{- end -}}

{{- define "mlworkflow.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "mlworkflow.labels" -}}
{{- $root := index . 0 -}}
{{ include "mlworkflow.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: mlworkflow
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "mlworkflow.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default $root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- define "mlworkflow.serviceAccountName" -}}
{{- $made := ternary (include "mlworkflow.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $made .Values.serviceAccount.name -}}
{{- end -}}

{{- define "mlworkflow.gatewayUrl" -}}
{{- $scheme := ternary "https" "http" .Values.gateway.tls.enabled -}}
{{- default (printf "%s://%s-gateway.%s.svc:8080" $scheme (include "mlworkflow.fullname" .) .Release.Namespace) .Values.gateway.url -}}
{{- end -}}

{{- define "mlworkflow.gatewayTlsSecret" -}}
{{- default (printf "%s-gateway-tls" (include "mlworkflow.fullname" .)) .Values.gateway.tls.existingSecret -}}
{{- end -}}

{{/* Of the steps, wherever they may be, as peers of a NetworkPolicy; of which namespaces, if not of all. */}}
{{- define "mlworkflow.stepPods" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/managed-by: mlworkflow
  {{- if .Values.watchNamespaces }}
  namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values:
          {{- toYaml .Values.watchNamespaces | nindent 10 }}
  {{- else }}
  namespaceSelector: {}
  {{- end }}
{{- end -}}

{{/* Egress to names, wherever the cluster resolves them: a node's own cache is no Pod. */}}
{{- define "mlworkflow.dnsEgress" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{/* Egress to the store: to the chart's own, or to the port of the external one, whose addresses change. */}}
{{- define "mlworkflow.storeEgress" -}}
{{- if eq .Values.store.server "external" -}}
{{- $url := urlParse .Values.store.external.url -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
- ports:
    - {protocol: TCP, port: {{ default (ternary "443" "80" (eq $url.scheme "https")) $port }}}
{{- else -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "mlworkflow.selectorLabels" (list . .Values.store.server) | nindent 10 }}
      namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Release.Namespace }}
  ports:
    - {protocol: TCP, port: 9000}
{{- end -}}
{{- end -}}

{{/* Names of the object that holds the store's authority, and of its kind; empty where there is none. */}}
{{- define "mlworkflow.storeCaConfigMap" -}}
{{- default (ternary (printf "%s-store-ca" (include "mlworkflow.fullname" .)) "" (ne .Values.store.external.caBundle "")) .Values.store.ca.configMap -}}
{{- end -}}

{{/* Of the chart's own server: minio and seaweedfs never share a name, hence never a claim. */}}
{{- define "mlworkflow.storeName" -}}
{{ include "mlworkflow.fullname" . }}-{{ .Values.store.server }}
{{- end -}}

{{- define "mlworkflow.storeUrl" -}}
{{- if eq .Values.store.server "external" -}}
{{ .Values.store.external.url }}
{{- else -}}
http://{{ include "mlworkflow.storeName" . }}.{{ .Release.Namespace }}.svc:9000
{{- end -}}
{{- end -}}

{{/* Empty when there are no static keys: an external store and the Pod's cloud identity. */}}
{{- define "mlworkflow.storeSecret" -}}
{{- $made := ternary "" (printf "%s-store" (include "mlworkflow.fullname" .)) (eq .Values.store.server "external") -}}
{{- default $made .Values.store.existingSecret -}}
{{- end -}}

{{- define "mlworkflow.webhookSecret" -}}
{{- default (printf "%s-webhooks" (include "mlworkflow.fullname" .)) .Values.webhooks.existingSecret -}}
{{- end -}}

{{- define "mlworkflow.signingSecret" -}}
{{- default (printf "%s-signing" (include "mlworkflow.fullname" .)) .Values.provenance.existingSecret -}}
{{- end -}}

{{- define "mlworkflow.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.security.runAsUser }}
runAsUser: {{ int64 . }}
{{- end }}
{{- with .Values.security.runAsGroup }}
runAsGroup: {{ int64 . }}
{{- end }}
{{- with .Values.security.fsGroup }}
fsGroup: {{ int64 . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "mlworkflow.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What a Pod says about where it runs and whence its image comes. Takes the root and the component's values. */}}
{{- define "mlworkflow.placement" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $component.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $component.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Several operators rather run on different nodes, and in different zones. */}}
{{- define "mlworkflow.apart" -}}
{{- $selector := dict "matchLabels" (include "mlworkflow.selectorLabels" (list . "operator") | fromYaml) -}}
{{- $several := gt (int .Values.operator.replicas) 1 -}}
{{- if and $several (not .Values.operator.affinity) }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            {{- toYaml $selector | nindent 12 }}
{{- end }}
{{- if .Values.operator.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml .Values.operator.topologySpreadConstraints | nindent 2 }}
{{- else if $several }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      {{- toYaml $selector | nindent 6 }}
{{- end }}
{{- end -}}

{{/*
The metadata of a Pod. Takes the root, the component's name and its values. The selector's labels win over the user's; those
with a version in them stay away, so that an upgrade of the chart alone restarts nothing.
*/}}
{{- define "mlworkflow.podMetadata" -}}
{{- $component := index . 2 -}}
{{- $own := include "mlworkflow.selectorLabels" . | fromYaml -}}
labels:
  {{- toYaml (mergeOverwrite (deepCopy $component.podLabels) $own) | nindent 2 }}
{{- with $component.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
