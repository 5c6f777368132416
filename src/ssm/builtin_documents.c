/* SPDX-License-Identifier: Apache-2.0 */
#include "ssm/builtin_documents.h"

/* Texts are compact JSON, a line per member. */

static const char text_configure_package[] =
        "{\n\"schemaVersion\": \"2.2\",\n"
        "\"description\": \"Install or remove a package.\",\n\"parameters\": {\n"
        "\"action\": {\n\"type\": \"String\",\n"
        "\"description\": \"Install the package, or remove it.\",\n\"allowedValues\": [\n"
        "\"Install\",\n\"Uninstall\"\n]\n},\n\"installationType\": {\n"
        "\"type\": \"String\",\n"
        "\"description\": \"How an installed version is replaced: removed first, or upd"
        "ated where it stands.\",\n\"allowedValues\": [\n\"Uninstall and reinstall\",\n"
        "\"In-place update\"\n],\n\"default\": \"Uninstall and reinstall\"\n},\n"
        "\"name\": {\n\"type\": \"String\",\n"
        "\"description\": \"The package: its name, or its ARN.\",\n"
        "\"allowedPattern\": \"^arn:[a-z0-9][-.a-z0-9]{0,62}:[a-z0-9][-.a-z0-9]{0,62}:("
        "[a-z0-9][-.a-z0-9]{0,62})?:([a-z0-9][-.a-z0-9]{0,62})?:(package|document)/[a-z"
        "A-Z0-9/:.\\\\-_]{1,128}$|^[a-zA-Z0-9/:.\\\\-_]{1,128}$\"\n},\n\"version\": {\n"
        "\"type\": \"String\",\n"
        "\"description\": \"The version; empty means the newest.\",\n\"default\": \"\"\n"
        "},\n\"additionalArguments\": {\n\"type\": \"StringMap\",\n"
        "\"description\": \"Further arguments for the package's scripts, named SSM_...\",\n"
        "\"displayType\": \"textarea\",\n\"maxChars\": 4096,\n\"default\": {}\n}\n},\n"
        "\"mainSteps\": [\n{\n\"action\": \"aws:configurePackage\",\n"
        "\"name\": \"configurePackage\",\n\"inputs\": {\n\"name\": \"{{ name }}\",\n"
        "\"action\": \"{{ action }}\",\n\"installationType\": \"{{ installationType }}\",\n"
        "\"version\": \"{{ version }}\",\n"
        "\"additionalArguments\": \"{{ additionalArguments }}\"\n}\n}\n]\n}\n";

static const char text_gather_inventory[] =
        "{\n\"schemaVersion\": \"2.0\",\n"
        "\"description\": \"Collect the inventory of a managed node.\",\n"
        "\"parameters\": {\n\"applications\": {\n\"type\": \"String\",\n"
        "\"description\": \"Installed applications and packages.\",\n\"allowedValues\": [\n"
        "\"Enabled\",\n\"Disabled\"\n],\n\"default\": \"Enabled\"\n},\n"
        "\"awsComponents\": {\n\"type\": \"String\",\n"
        "\"description\": \"Amazon's own components.\",\n\"allowedValues\": [\n"
        "\"Enabled\",\n\"Disabled\"\n],\n\"default\": \"Enabled\"\n},\n\"files\": {\n"
        "\"type\": \"String\",\n"
        "\"description\": \"Which files to list, as JSON; empty for none.\",\n"
        "\"default\": \"\"\n},\n\"networkConfig\": {\n\"type\": \"String\",\n"
        "\"description\": \"Network interfaces.\",\n\"allowedValues\": [\n\"Enabled\",\n"
        "\"Disabled\"\n],\n\"default\": \"Enabled\"\n},\n\"windowsUpdates\": {\n"
        "\"type\": \"String\",\n\"description\": \"Windows updates.\",\n"
        "\"allowedValues\": [\n\"Enabled\",\n\"Disabled\"\n],\n\"default\": \"Enabled\"\n"
        "},\n\"instanceDetailedInformation\": {\n\"type\": \"String\",\n"
        "\"description\": \"Processor, memory and the like.\",\n\"allowedValues\": [\n"
        "\"Enabled\",\n\"Disabled\"\n],\n\"default\": \"Enabled\"\n},\n\"services\": {\n"
        "\"type\": \"String\",\n\"description\": \"Windows services.\",\n"
        "\"allowedValues\": [\n\"Enabled\",\n\"Disabled\"\n],\n\"default\": \"Enabled\"\n"
        "},\n\"windowsRegistry\": {\n\"type\": \"String\",\n"
        "\"description\": \"Which registry keys to list, as JSON; empty for none.\",\n"
        "\"default\": \"\"\n},\n\"windowsRoles\": {\n\"type\": \"String\",\n"
        "\"description\": \"Windows roles.\",\n\"allowedValues\": [\n\"Enabled\",\n"
        "\"Disabled\"\n],\n\"default\": \"Enabled\"\n},\n\"customInventory\": {\n"
        "\"type\": \"String\",\n"
        "\"description\": \"Custom inventory from the node's own files.\",\n"
        "\"allowedValues\": [\n\"Enabled\",\n\"Disabled\"\n],\n\"default\": \"Enabled\"\n"
        "},\n\"billingInfo\": {\n\"type\": \"String\",\n"
        "\"description\": \"Billing information of the instance.\",\n\"allowedValues\": [\n"
        "\"Enabled\",\n\"Disabled\"\n],\n\"default\": \"Enabled\"\n}\n},\n"
        "\"mainSteps\": [\n{\n\"action\": \"aws:softwareInventory\",\n"
        "\"name\": \"collectSoftwareInventoryItems\",\n\"inputs\": {\n"
        "\"applications\": \"{{ applications }}\",\n"
        "\"awsComponents\": \"{{ awsComponents }}\",\n"
        "\"networkConfig\": \"{{ networkConfig }}\",\n\"files\": \"{{ files }}\",\n"
        "\"services\": \"{{ services }}\",\n\"windowsRoles\": \"{{ windowsRoles }}\",\n"
        "\"windowsRegistry\": \"{{ windowsRegistry }}\",\n"
        "\"windowsUpdates\": \"{{ windowsUpdates }}\",\n"
        "\"instanceDetailedInformation\": \"{{ instanceDetailedInformation }}\",\n"
        "\"billingInfo\": \"{{ billingInfo }}\",\n"
        "\"customInventory\": \"{{ customInventory }}\"\n}\n}\n]\n}\n";

static const char text_refresh[] =
        "{\n\"schemaVersion\": \"2.2\",\n"
        "\"description\": \"Look for associations again, and run the given ones at once"
        ".\",\n\"parameters\": {\n\"associationIds\": {\n\"type\": \"StringList\",\n"
        "\"description\": \"The associations to run at once; all when there is none.\",\n"
        "\"default\": []\n}\n},\n\"mainSteps\": [\n{\n"
        "\"action\": \"aws:refreshAssociation\",\n\"name\": \"refreshAssociation\",\n"
        "\"inputs\": {\n\"associationIds\": \"{{ associationIds }}\"\n}\n}\n]\n}\n";

static const char text_shell[] =
        "{\n\"schemaVersion\": \"2.2\",\n\"description\": \"Run a shell script.\",\n"
        "\"parameters\": {\n\"commands\": {\n\"type\": \"StringList\",\n"
        "\"description\": \"The lines of the script.\",\n\"minItems\": 1,\n"
        "\"displayType\": \"textarea\"\n},\n\"workingDirectory\": {\n"
        "\"type\": \"String\",\n\"description\": \"Where it runs.\",\n\"default\": \"\",\n"
        "\"maxChars\": 4096\n},\n\"executionTimeout\": {\n\"type\": \"String\",\n"
        "\"description\": \"Longest time, in seconds.\",\n\"default\": \"3600\",\n"
        "\"allowedPattern\": \"^([1-9][0-9]{0,4}|1[0-6][0-9]{4}|17[0-1][0-9]{3}|172[0-7"
        "][0-9]{2}|172800)$\"\n}\n},\n\"mainSteps\": [\n{\n"
        "\"action\": \"aws:runShellScript\",\n\"name\": \"runShellScript\",\n"
        "\"precondition\": {\n\"StringEquals\": [\n\"platformType\",\n\"Linux\"\n]\n},\n"
        "\"inputs\": {\n\"runCommand\": \"{{ commands }}\",\n"
        "\"workingDirectory\": \"{{ workingDirectory }}\",\n"
        "\"timeoutSeconds\": \"{{ executionTimeout }}\"\n}\n}\n]\n}\n";

static const char text_configure_plugin[] =
        "{\n\"schemaVersion\": \"2.2\",\n"
        "\"description\": \"Install or remove the deep-inspection plugin on Linux.\",\n"
        "\"parameters\": {\n\"action\": {\n\"type\": \"String\",\n"
        "\"description\": \"Install the package, or remove it.\",\n\"allowedValues\": [\n"
        "\"Install\",\n\"Uninstall\"\n],\n\"default\": \"Install\"\n},\n"
        "\"installationType\": {\n\"type\": \"String\",\n"
        "\"description\": \"How an installed version is replaced: removed first, or upd"
        "ated where it stands.\",\n\"allowedValues\": [\n\"Uninstall and reinstall\",\n"
        "\"In-place update\"\n],\n\"default\": \"Uninstall and reinstall\"\n},\n"
        "\"name\": {\n\"type\": \"String\",\n"
        "\"description\": \"The package: its name, or its ARN.\",\n"
        "\"allowedPattern\": \"^arn:[a-z0-9][-.a-z0-9]{0,62}:[a-z0-9][-.a-z0-9]{0,62}:("
        "[a-z0-9][-.a-z0-9]{0,62})?:([a-z0-9][-.a-z0-9]{0,62})?:(package|document)/[a-z"
        "A-Z0-9/:.\\\\-_]{1,128}$|^[a-zA-Z0-9/:.\\\\-_]{1,128}$\",\n"
        "\"default\": \"AmazonInspector2-InspectorSsmPluginLinux\"\n},\n\"version\": {\n"
        "\"type\": \"String\",\n"
        "\"description\": \"The version; empty means the newest.\",\n\"default\": \"\"\n"
        "},\n\"additionalArguments\": {\n\"type\": \"StringMap\",\n"
        "\"description\": \"Further arguments for the package's scripts, named SSM_...\",\n"
        "\"displayType\": \"textarea\",\n\"maxChars\": 4096,\n\"default\": {}\n}\n},\n"
        "\"mainSteps\": [\n{\n\"action\": \"aws:configurePackage\",\n"
        "\"name\": \"configurePackage\",\n\"precondition\": {\n\"StringEquals\": [\n"
        "\"platformType\",\n\"Linux\"\n]\n},\n\"inputs\": {\n\"name\": \"{{ name }}\",\n"
        "\"action\": \"{{ action }}\",\n\"installationType\": \"{{ installationType }}\",\n"
        "\"version\": \"{{ version }}\",\n"
        "\"additionalArguments\": \"{{ additionalArguments }}\"\n}\n}\n]\n}\n";

static const char text_invoke_plugin[] =
        "{\n\"schemaVersion\": \"2.2\",\n"
        "\"description\": \"Run deep inspection on a Linux host with the installed plug"
        "in.\",\n\"parameters\": {\n\"Timeout\": {\n\"type\": \"String\",\n"
        "\"description\": \"Longest time of the whole run, in seconds.\",\n"
        "\"allowedPattern\": \"^([0-9]|[1-9][0-9]+)$\",\n\"default\": \"900\"\n},\n"
        "\"CpuLimit\": {\n\"type\": \"String\",\n"
        "\"description\": \"Most processor time, in percent.\",\n"
        "\"allowedPattern\": \"^([1-9]|[1-9][0-9])$|^(100)$\",\n\"default\": \"65\"\n}\n"
        "},\n\"mainSteps\": [\n{\n\"action\": \"aws:runShellScript\",\n"
        "\"name\": \"invokeInspectorSsmPluginLinux\",\n\"precondition\": {\n"
        "\"StringEquals\": [\n\"platformType\",\n\"Linux\"\n]\n},\n\"inputs\": {\n"
        "\"runCommand\": [\n\"#!/bin/bash\",\n\"set -x\",\n\"fail() {\",\n"
        "\"    echo \\\"$1\\\"\",\n\"    echo \\\"$1\\\" >&2\",\n\"    exit 1\",\n\"}\",\n"
        "\"retry() {\",\n\"    attempt=1\",\n"
        "\"    while [ \\\"$attempt\\\" -le 5 ]; do\",\n\"        if \\\"$1\\\"; then\",\n"
        "\"            return 0\",\n\"        fi\",\n"
        "\"        echo \\\"Attempt $attempt of 5 did not succeed, waiting 60 seconds.."
        ".\\\"\",\n\"        sleep 60\",\n\"        attempt=$((attempt + 1))\",\n"
        "\"    done\",\n\"    echo \\\"Retries completed after 5 attempts.\\\"\",\n"
        "\"    fail \\\"$2\\\"\",\n\"}\",\n\"ROOT=\\\"/opt/aws/inspector\\\"\",\n"
        "\"PLUGIN=\\\"$ROOT/bin/inspectorssmplugin\\\"\",\n"
        "\"OUTPUT=\\\"$ROOT/var/output\\\"\",\n\"TIMEOUT=\\\"{{ Timeout }}\\\"\",\n"
        "\"CPU_LIMIT=\\\"{{ CpuLimit }}\\\"\",\n\"is_installed() {\",\n"
        "\"    if [ -f \\\"$PLUGIN\\\" ]; then\",\n"
        "\"        echo \\\"$PLUGIN exist\\\"\",\n\"        return 0\",\n\"    fi\",\n"
        "\"    echo \\\"$PLUGIN does not exist\\\"\",\n\"    return 1\",\n\"}\",\n"
        "\"echo \\\"Checking the installation of the Inspector ssm plugin...\\\"\",\n"
        "\"retry is_installed \\\"Inspector ssm plugin is not installed. Exiting...\\\""
        "\",\n\"echo \\\"Inspector ssm plugin is installed.\\\"\",\n"
        "\"echo \\\"Starting evaluation...\\\"\",\n"
        "\"\\\"$PLUGIN\\\" -mode bpm -read-params-store -report-ssm-inventory -report-m"
        "etrics-via-ssm-inventory -save-findings-as \\\"$OUTPUT/packages.txt\\\" -forma"
        "t text -timeout \\\"$((TIMEOUT))\\\" -cpulimit \\\"$((CPU_LIMIT))\\\"\",\n"
        "\"if [ \\\"$?\\\" -eq 0 ]; then\",\n"
        "\"    echo \\\"Inspector ssm plugin linux ran successfully\\\"\",\n"
        "\"    exit 0\",\n\"fi\",\n"
        "\"fail \\\"Inspector ssm plugin did not run successfully\\\"\"\n]\n}\n}\n]\n}\n";

static const struct builtin_document documents[] = {
	{ "AWS-ConfigureAWSPackage", text_configure_package },
	{ "AWS-GatherSoftwareInventory", text_gather_inventory },
	{ "AWS-RefreshAssociation", text_refresh },
	{ "AWS-RunShellScript", text_shell },
	{ "AmazonInspector2-ConfigureInspectorSsmPluginLinux", text_configure_plugin },
	{ "AmazonInspector2-InvokeInspectorSsmPluginLinux", text_invoke_plugin },
};

const struct builtin_document *builtin_document_find(str name)
{
	for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
		if (str_eq(name, str_from_c(documents[i].name)))
			return &documents[i];
	}
	return NULL;
}

const struct builtin_document *builtin_document_all(size_t *ret_n)
{
	*ret_n = sizeof documents / sizeof documents[0];
	return documents;
}
