/* SPDX-License-Identifier: MIT */
/* grub.cfg: from its text to a menu. */
#include "bootloader/grub.h"
#include "util/cleanup.h"
#include <errno.h>
#include <stdlib.h>

static int first_vars(struct grub *g)
{
	static const char *const vars[][2] = {
		{ "grub_platform", "xen" }, { "grub_cpu", "x86_64" }, { "feature_menuentry_id", "y" },
		{ "feature_menuentry_options", "y" }, { "feature_platform_search_hint", "y" },
		{ "feature_default_font_path", "y" }, { "feature_all_video_module", "y" }, { "feature_timeout_style", "y" },
		{ "feature_200_final", "y" }, { "feature_nativedisk_cmd", "n" }, { "default", "0" },
	};
	unsigned int i;
	int rc = 0;

	for (i = 0; i < sizeof(vars) / sizeof(vars[0]) && !rc; i++)
		rc = grub_env_set(&g->env, vars[i][0], vars[i][1]);
	if (!rc)
		rc = grub_env_set(&g->env, "prefix", g->dir);
	return rc ? rc : grub_env_set(&g->env, "config_directory", g->dir);
}

int grubcfg_parse(const char *text, size_t len, const char *dir, struct boot_files *files, struct boot_menu *m)
{
	CLEANUP_FREE struct grub *g = calloc(1, sizeof(*g));
	const char *choice;
	int rc;

	if (!g)
		return -ENOMEM;
	g->m = m;
	g->files = files;
	g->dir = dir;
	g->entry = g->submenu = -1;
	rc = first_vars(g);
	if (!rc)
		rc = grub_run(g, text, text + len);
	/* What was found before a mistake is still worth showing. */
	if (rc == -EINVAL && m->n)
		rc = 0;
	choice = grub_env_get(&g->env, "default");
	if (!rc && choice)
		rc = menu_set(&m->choice, choice);
	choice = grub_env_get(&g->env, "timeout");
	if (choice)
		menu_set_wait(m, choice, 1);
	while (g->n_funcs)
		free(g->func[--g->n_funcs].name);
	while (g->n_kept)
		free(g->kept[--g->n_kept]);
	grub_env_free(&g->env);
	menu_prune(m);
	return rc;
}
