# The page: built from web/ by Node into the package. Included by the top Makefile.
PAGE := operator/mlworkflow/ui/static/index.html
NPM := $(shell command -v npm)

.PHONY: web web-lint web-test web-format web-if-node

web/node_modules/.ready: web/package.json web/package-lock.json web/.npmrc
	@[ -n "$(NPM)" ] || { echo 'Node 20.19 or newer, with npm, is needed to build the page (apt-get install nodejs npm, or nodejs.org)' >&2; exit 2; }
	cd web && npm ci --no-progress --loglevel=error
	@touch $@

$(PAGE): web/node_modules/.ready web/index.html web/vite.config.ts web/tsconfig.json $(shell find web/src web/public -type f)
	cd web && npm run --silent build -- --logLevel warn

web: $(PAGE) ## Build the page that `mlwf ui` shows (needs Node)

web-if-node:
	@if [ -n "$(NPM)" ]; then $(MAKE) --no-print-directory web; else echo 'The page is not built: there is no Node here. Everything else works; `make web` builds it once there is.'; fi

web-lint: web/node_modules/.ready ## Check the page's types and style
	cd web && npm run --silent check

web-format: web/node_modules/.ready
	cd web && npm run --silent format

web-test: web/node_modules/.ready ## Run the page's own unit tests
	cd web && npm run --silent test
